"""A transformer that names the intent of short commands, with an averaged copy of the weights for use.

cause: missing-zero-grad
family: transformer
metric: accuracy, higher
repair:
    - self.average.zero_grad()
    + self.model.zero_grad()
"""

import copy
import random

import torch
from torch import nn

SLOTS = {
    "light": ["lamp", "light", "bulb", "lantern"],
    "music": ["song", "tune", "record", "album"],
    "heat": ["heater", "stove", "radiator", "boiler"],
}
ON, OFF = ["start", "enable", "raise", "begin"], ["stop", "disable", "lower", "end"]
FILLERS = ["please", "now", "the", "my", "in", "kitchen", "could", "you", "for", "me", "again", "today"]
INTENTS = [(slot, on) for slot in SLOTS for on in (True, False)]


def command(rng):
    label = rng.randrange(len(INTENTS))
    slot, on = INTENTS[label]
    if rng.random() < 0.3:
        verb = ["not", rng.choice(OFF if on else ON)]
    else:
        verb = [rng.choice(ON if on else OFF)]
    words = [*rng.choices(FILLERS, k=2), *verb, *rng.choices(FILLERS, k=2), rng.choice(SLOTS[slot])]
    return (words + rng.choices(FILLERS, k=8))[:9], label


class IntentModel(nn.Module):
    def __init__(self, words, width=32):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Parameter(0.02 * torch.randn(9, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, len(INTENTS))

    def forward(self, tokens):
        return self.out(self.encoder(self.words(tokens) + self.positions).mean(1))


class Trainer:
    def __init__(self, model, decay=0.98):
        self.model, self.decay = model, decay
        self.average = copy.deepcopy(model)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def update_average(self):
        with torch.no_grad():
            for a, p in zip(self.average.parameters(), self.model.parameters(), strict=True):
                a.mul_(self.decay).add_(p, alpha=1 - self.decay)

    def step(self, tokens, labels):
        self.model.train()
        loss = nn.functional.cross_entropy(self.model(tokens), labels)
        self.average.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.update_average()
        return loss.item()

    @torch.no_grad()
    def accuracy(self, tokens, labels):
        self.average.eval()
        return (self.average(tokens).argmax(1) == labels).float().mean().item()


def main():
    rng = random.Random(3)
    torch.manual_seed(3)
    sentences = [command(rng) for _ in range(2500)]
    index = {w: i for i, w in enumerate(sorted({w for words, _ in sentences for w in words}))}
    tokens = torch.tensor([[index[w] for w in words] for words, _ in sentences])
    labels = torch.tensor([label for _, label in sentences])
    trainer = Trainer(IntentModel(len(index)))
    for epoch in range(10):
        losses = [trainer.step(tokens[b], labels[b]) for b in torch.randperm(2000).split(40)]
        accuracy = trainer.accuracy(tokens[2000:], labels[2000:])
        print(f"epoch {epoch + 1:2d}: {sum(losses) / len(losses):.4f} {accuracy:.3f}")
    print(f"metric: {trainer.accuracy(tokens[2000:], labels[2000:]):.4f}")


if __name__ == "__main__":
    main()
