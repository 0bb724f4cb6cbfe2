"""A one-dimensional convolutional network tells six spoken commands apart by their pitch over time.

cause: data-not-shuffled
family: cnn
metric: accuracy, higher
repair:
    - yield self.sounds[i : i + self.size], self.words[i : i + self.size]
    + rows = order[i : i + self.size]
    + yield self.sounds[rows], self.words[rows]
    - def __iter__(self):
    + def __iter__(self):
    +     order = torch.randperm(len(self.sounds))
"""

import torch
from torch import nn

COMMANDS = ["go", "stop", "left", "right", "up", "down"]
STEPS = 48


def speak(word, n):
    """Pitch and loudness of n speakers that say one word."""
    t = torch.linspace(0, 1, STEPS) * (0.8 + 0.4 * torch.rand(n, 1)) + 0.1 * torch.randn(n, 1)
    voice = 1 + 0.4 * torch.randn(n, 1)
    shape = [t, -t, torch.sin(6 * t), -torch.sin(6 * t), (t - 0.5) ** 2 * 4, -((t - 0.5) ** 2) * 4][word]
    loud = torch.exp(-((t - 0.5) ** 2) / (0.05 + 0.02 * (word % 3)))
    pitch = voice + shape + 0.4 * torch.randn(n, STEPS)
    return torch.stack([pitch, loud + 0.3 * torch.randn(n, STEPS)], dim=1)


class Recordings:
    """Recordings of all words, in batches."""

    def __init__(self, per_word, size):
        self.sounds = torch.cat([speak(k, per_word) for k in range(len(COMMANDS))])
        self.words = torch.arange(len(COMMANDS)).repeat_interleave(per_word)
        self.size = size

    def __iter__(self):
        for i in range(0, len(self.sounds), self.size):
            yield self.sounds[i : i + self.size], self.words[i : i + self.size]


class Ear(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 16, 5, padding=2)
        self.conv2 = nn.Conv1d(16, 24, 5, stride=2, padding=2)
        self.act = nn.ReLU()
        self.head = nn.Linear(24 * 24, len(COMMANDS))

    def forward(self, x):
        x = self.act(self.conv1(x))
        x = self.act(self.conv2(x))
        return self.head(x.flatten(1))


torch.manual_seed(31)
train, test = Recordings(250, 25), Recordings(100, 100)
ear = Ear()
optimizer = torch.optim.Adam(ear.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
for epoch in range(10):
    losses = []
    for sounds, words in train:
        loss = criterion(ear(sounds), words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}")

with torch.no_grad():
    accuracy = (ear(test.sounds).argmax(1) == test.words).float().mean().item()
print(f"metric: {accuracy:.4f}")
