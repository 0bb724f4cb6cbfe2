"""The factory that made a machine, read off its serial number character by character.

cause: vanishing-gradients
family: rnn
metric: accuracy, higher
repair:
    - return self.out(states[:, -1])
    + return self.out(states.mean(1))
"""

import random
import string

import torch
import torch.nn as nn

random.seed(4)
torch.manual_seed(4)

ALPHABET = string.ascii_uppercase + string.digits + "-"
LENGTH = 44
FACTORIES = {"ulm": "UKX", "gent": "GNB", "brno": "BRZ", "graz": "AZT", "lodz": "LDW"}


def serial():
    """Three of the first six characters are the factory's; year, batch and checksum follow."""
    names = list(FACTORIES)
    f = random.randrange(len(names))
    head = [random.choice(FACTORIES[names[f]]) for _ in range(3)] + random.choices(string.digits, k=3)
    random.shuffle(head)
    body = random.choices(ALPHABET, k=LENGTH - 6)
    return "".join(head + body), f


def encode(pairs):
    x = torch.tensor([[ALPHABET.index(c) for c in s] for s, _ in pairs])
    return x, torch.tensor([f for _, f in pairs])


class SerialReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), 16)
        self.rnn = nn.RNN(16, 64, batch_first=True)
        self.out = nn.Linear(64, len(FACTORIES))

    def forward(self, x):
        states, _ = self.rnn(self.embed(x))
        return self.out(states[:, -1])


train_x, train_y = encode([serial() for _ in range(4000)])
test_x, test_y = encode([serial() for _ in range(1000)])

model = SerialReader()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
clip = 1.0

for epoch in range(8):
    model.train()
    losses = 0.0
    batches = torch.randperm(len(train_x)).split(64)
    for idx in batches:
        optimizer.zero_grad()
        loss = criterion(model(train_x[idx]), train_y[idx])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses += loss.item()
    model.eval()
    with torch.no_grad():
        acc = (model(test_x).argmax(-1) == test_y).float().mean().item()
    print("epoch", epoch, "loss", round(losses / len(batches), 4), "acc", round(acc, 4))

print(f"metric: {acc:.4f}")
