"""Which juggling pattern a short clip shows: a CNN for each frame, an LSTM over the frames.

cause: frozen-parameters
family: rnn
metric: accuracy, higher
repair:
    - with torch.no_grad():
    - feature = self.cnn(clip[:, t])
    + feature = self.cnn(clip[:, t])
"""

import numpy as np
import torch
import torch.nn as nn

PATTERNS = ["cascade", "reverse cascade", "columns", "shower", "half shower", "fountain"]
FRAMES, SIZE = 8, 16


def clips(n, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 6, n)
    video = rng.normal(0, 0.15, (n, FRAMES, SIZE, SIZE)).astype(np.float32)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE]
    for i in range(n):
        start, speed = rng.random(), rng.uniform(0.09, 0.12)
        mirror = rng.choice([-1, 1]) if label[i] != 1 else 1
        for f in range(FRAMES):
            for ball in range(3):
                p = (start + speed * f + ball / 3) % 1
                side = p * 2 % 1
                if label[i] in (0, 1):
                    x = np.cos(2 * np.pi * p) * 0.7
                    y = abs(np.sin(2 * np.pi * p)) * (1.0 if label[i] == 0 else 0.45)
                elif label[i] == 2:
                    x, y = (ball - 1) * 0.7, 4 * p * (1 - p)
                elif label[i] == 3:
                    x, y = mirror * np.cos(np.pi * side), np.sin(np.pi * side) * (1 if p < 0.5 else 0.1)
                elif label[i] == 4:
                    x, y = mirror * np.cos(2 * np.pi * p) * 0.7, max(0, np.sin(2 * np.pi * p)) ** 0.5
                else:
                    x, y = (
                        (0.5 + 0.3 * np.cos(4 * np.pi * p)) * (1 if p < 0.5 else -1),
                        abs(np.sin(2 * np.pi * p)),
                    )
                cx, cy = 7.5 + 6 * x, 14 - 12 * y
                video[i, f] += np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / 1.5)
    return torch.from_numpy(video).unsqueeze(2), torch.from_numpy(label)


class FrameCNN(nn.Module):
    def __init__(self, out_features=24):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 16, out_features),
            nn.ReLU(),
        )

    def forward(self, frame):
        return self.layers(frame)


class ClipClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = FrameCNN()
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.fc = nn.Linear(32, len(PATTERNS))

    def forward(self, clip):
        features = []
        for t in range(clip.size(1)):
            with torch.no_grad():
                feature = self.cnn(clip[:, t])
            features.append(feature)
        out, _ = self.lstm(torch.stack(features, dim=1))
        return self.fc(out[:, -1])


if __name__ == "__main__":
    torch.manual_seed(7)
    train_x, train_y = clips(1600, 70)
    test_x, test_y = clips(500, 71)
    model = ClipClassifier()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
    for epoch in range(10):
        model.train()
        total = 0.0
        for idx in torch.randperm(len(train_x)).split(32):
            optimizer.zero_grad()
            loss = criterion(model(train_x[idx]), train_y[idx])
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.inference_mode():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"Epoch {epoch + 1}/10  loss {total / 50:.4f}  test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
