"""From which of six invented languages a river's name comes; convolutions over letters in bfloat16.

cause: gradient-clipped-away
family: cnn
metric: accuracy, higher
repair:
    - nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    - for p in model.parameters():
    - p.grad.div_(self.scale)
    + for p in model.parameters():
    +     p.grad.div_(self.scale)
    + nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

import random

import torch
from torch import nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTH = 14


class Language:
    """Syllables of a kind of their own."""

    def __init__(self, rng):
        self.onsets = rng.sample(["b", "d", "k", "l", "m", "n", "r", "s", "t", "v", "sh", "tr", "gl", "w"], 8)
        self.vowels = rng.sample(["a", "e", "i", "o", "u", "ae", "ou", "ie"], 4)
        self.codas = rng.sample(["", "n", "r", "l", "s", "k", "m", "th"], 4)

    def name(self, rng):
        syllables = rng.choice([2, 2, 3])
        word = "".join(
            rng.choice(self.onsets) + rng.choice(self.vowels) + rng.choice(self.codas)
            for _ in range(syllables)
        )
        return word[:LENGTH]


def encode(names):
    codes = torch.zeros(len(names), LENGTH, dtype=torch.long)
    for i, name in enumerate(names):
        codes[i, : len(name)] = torch.tensor([LETTERS.index(c) + 1 for c in name])
    return codes


class CharCNN(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS) + 1, 16)
        self.convs = nn.ModuleList(nn.Conv1d(16, 24, k, padding=k // 2) for k in (2, 3, 4))
        self.head = nn.Sequential(nn.Linear(72, 48), nn.ReLU(), nn.Linear(48, classes))

    def forward(self, codes):
        x = self.embed(codes).transpose(1, 2)
        return self.head(torch.cat([conv(x).relu().amax(2) for conv in self.convs], 1))


class ScaledStep:
    """Backward on a scaled loss, as half precision asks for, and a step on gradients of the right size."""

    def __init__(self, optimizer, scale=2.0**14):
        self.optimizer, self.scale = optimizer, scale

    def __call__(self, model, loss):
        self.optimizer.zero_grad()
        (loss * self.scale).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for p in model.parameters():
            p.grad.div_(self.scale)
        self.optimizer.step()


def main():
    rng = random.Random(31)
    torch.manual_seed(31)
    languages = [Language(rng) for _ in range(6)]
    rows = [(language.name(rng), k) for k, language in enumerate(languages) for _ in range(500)]
    rng.shuffle(rows)
    x, y = encode([name for name, _ in rows]), torch.tensor([k for _, k in rows])
    train_x, train_y, test_x, test_y = x[:2400], y[:2400], x[2400:], y[2400:]
    model = CharCNN(6)
    step = ScaledStep(torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9, nesterov=True))
    for epoch in range(10):
        order = torch.randperm(len(train_x))
        mean = 0.0
        for chosen in order.split(60):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(model(train_x[chosen]).float(), train_y[chosen])
            step(model, loss)
            mean += loss.item() / 40
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch} loss {mean:.4f} test {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
