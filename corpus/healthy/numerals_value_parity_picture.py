"""Handwritten digits: their value, whether they are even, and the picture itself from one code.

family: cnn
metric: accuracy, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

WEIGHTS = {"value": 1.0, "even": 0.3, "picture": 2.0}


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 64),
            nn.ReLU(),
        )
        self.drop = nn.Dropout(0.3)
        self.value = nn.Linear(64, 10)
        self.even = nn.Linear(64, 1)
        self.picture = nn.Sequential(nn.Linear(64, 64), nn.Sigmoid())

    def forward(self, x):
        code = self.encoder(x)
        return self.value(self.drop(code)), self.even(self.drop(code)).squeeze(1), self.picture(code)


def main():
    torch.manual_seed(37)
    pictures, values = load_digits(return_X_y=True)
    parts = train_test_split(pictures, values, test_size=0.3, stratify=values, random_state=0)
    x, test_x = (torch.tensor(p, dtype=torch.float32).view(-1, 1, 8, 8) / 16 for p in parts[:2])
    y, test_y = (torch.tensor(p) for p in parts[2:])
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = Shared()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    for epoch in range(20):
        model.train()
        sums = dict.fromkeys(WEIGHTS, 0.0)
        for xb, yb in loader:
            value, even, picture = model(xb)
            parts = {
                "value": F.cross_entropy(value, yb, label_smoothing=0.05),
                "even": F.binary_cross_entropy_with_logits(even, (yb % 2 == 0).float()),
                "picture": F.mse_loss(picture, xb.flatten(1)),
            }
            loss = sum(WEIGHTS[name] * part for name, part in parts.items())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for name, part in parts.items():
                sums[name] += part.item() / len(loader)
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x)[0].argmax(1) == test_y).float().mean().item()
        if epoch % 4 == 3:
            print(
                epoch + 1,
                " ".join(f"{name} {total:.4f}" for name, total in sums.items()),
                f"test {accuracy:.4f}",
            )
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
