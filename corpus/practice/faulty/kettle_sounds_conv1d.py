"""Which of fifteen kitchen appliances makes this sound.

cause: softmax-before-cross-entropy
family: cnn
metric: accuracy, higher
repair:
    - loss = self.loss(self.predict_proba(x), y)
    + loss = self.loss(self.net(x), y)
"""

import math

import torch
from torch import nn

N_CLASSES, LENGTH = 15, 256


def record(n, generator):
    """Each appliance hums at its two pitches, with a rhythm of its own."""
    setting = torch.Generator().manual_seed(70)
    pitch = 4 + 60 * torch.rand(N_CLASSES, 2, generator=setting)
    rhythm = 1 + 5 * torch.rand(N_CLASSES, generator=setting)
    y = torch.randint(0, N_CLASSES, (n,), generator=generator)
    t = torch.linspace(0, 1, LENGTH)
    phase = 2 * math.pi * torch.rand(n, 3, 1, generator=generator)
    drift = 1 + 0.03 * torch.randn(n, 1, generator=generator)
    low = torch.sin(2 * math.pi * pitch[y, :1] * drift * t + phase[:, 0])
    high = torch.sin(2 * math.pi * pitch[y, 1:] * drift * t + phase[:, 1])
    beat = 1 + 0.5 * torch.sin(2 * math.pi * rhythm[y, None] * t + phase[:, 2])
    x = beat * (low + 0.7 * high) + 0.8 * torch.randn(n, LENGTH, generator=generator)
    return x.unsqueeze(1), y


class SoundClassifier:
    """Wraps a network with fit / predict / score, to be used like the estimators we know."""

    def __init__(self, epochs=10, batch_size=40, lr=2e-3):
        self.epochs, self.batch_size = epochs, batch_size
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 15, stride=2, padding=7),
            nn.ReLU(),
            nn.Conv1d(16, 32, 9, stride=2, padding=4),
            nn.ReLU(),
            nn.Conv1d(32, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(4),
            nn.Flatten(),
            nn.Linear(128, N_CLASSES),
        )
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.RMSprop(self.net.parameters(), lr=lr)

    def predict_proba(self, x):
        return self.net(x).softmax(dim=1)

    def predict(self, x):
        with torch.no_grad():
            return self.predict_proba(x).argmax(dim=1)

    def score(self, x, y):
        return (self.predict(x) == y).float().mean().item()

    def fit(self, X, Y, X_valid=None, Y_valid=None):
        for epoch in range(self.epochs):
            losses = []
            for rows in torch.randperm(len(X)).split(self.batch_size):
                x, y = X[rows], Y[rows]
                loss = self.loss(self.predict_proba(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                losses.append(loss.detach())
            message = f"epoch {epoch + 1}  loss {torch.stack(losses).mean():.4f}"
            if X_valid is not None:
                message += f"  valid {self.score(X_valid, Y_valid):.4f}"
            print(message)
        return self


if __name__ == "__main__":
    torch.manual_seed(71)
    g = torch.Generator().manual_seed(72)
    X, Y = record(2800, g)
    X_valid, Y_valid = record(700, g)
    classifier = SoundClassifier().fit(X, Y, X_valid, Y_valid)
    print(f"metric: {classifier.score(X_valid, Y_valid):.4f}")
