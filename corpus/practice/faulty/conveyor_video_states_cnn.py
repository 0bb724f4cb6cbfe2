"""A small CNN on short stacks of camera frames that tells what a packing line is doing.

cause: labels-misaligned
family: cnn
metric: accuracy, higher
repair:
    - frames = [f for f in frames if f.mean() > 0.05]
    + kept = [(f, s) for f, s in zip(frames, states) if f.mean() > 0.05]
    + frames, states = [f for f, _ in kept], [s for _, s in kept]
"""

import numpy as np
import torch
import torch.nn as nn

STATES = ["idle", "running", "jam", "reverse"]
SIZE = 20
STACK = 3


def film(rng, seconds, dropouts):
    """Frames and, per frame, the state from the controller's log; now and then the camera is black."""
    frames, states = [], []
    offset, state, left = 0.0, 1, 30
    texture = rng.random((SIZE, 400))
    for _ in range(seconds):
        if left == 0:
            state, left = int(rng.integers(4)), int(rng.integers(6, 16))
        left -= 1
        offset += {0: 0.0, 1: 2.0, 2: 0.0, 3: -2.0}[state]
        frame = np.stack([texture[:, int(offset + c) % 400] for c in range(SIZE)], axis=1) * 0.8
        if state == 2:  # boxes pile up on the right and shake
            at = int(rng.integers(0, 4))
            frame[6:14, 10 + at : 16 + at] = 1.0
        frame += 0.05 * rng.random(frame.shape)
        if rng.random() < dropouts:
            frame = 0.02 * rng.random(frame.shape)
        frames.append(frame.astype(np.float32))
        states.append(state)
    return frames, states


def to_stacks(frames, states):
    frames = [f for f in frames if f.mean() > 0.05]
    x, y = [], []
    for i in range(STACK - 1, len(frames)):
        x.append(np.stack(frames[i - STACK + 1 : i + 1]))
        y.append(states[i])
    return torch.tensor(np.stack(x)), torch.tensor(y)


class StateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(STACK, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )
        self.classifier = nn.Linear(128, len(STATES))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def main():
    rng = np.random.default_rng(31)
    torch.manual_seed(31)
    shifts = [to_stacks(*film(rng, 500, dropouts=0.04)) for _ in range(6)]
    x = torch.cat([s[0] for s in shifts])
    y = torch.cat([s[1] for s in shifts])
    # the acceptance film was checked by hand, the camera had no dropouts
    x_test, y_test = to_stacks(*film(rng, 600, dropouts=0.0))

    model = StateNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    for epoch in range(8):
        model.train()
        order = torch.randperm(len(x))
        total, right = 0.0, 0
        for batch in order.split(48):
            scores = model(x[batch])
            loss = nn.functional.cross_entropy(scores, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            right += (scores.argmax(1) == y[batch]).sum().item()
        print(f"epoch {epoch + 1} loss {total / len(x):.3f} acc {right / len(x):.3f}")

    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
