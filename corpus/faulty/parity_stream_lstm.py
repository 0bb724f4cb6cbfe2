"""An LSTM that reports how many of the last four coins were heads.

cause: gradient-clipped-away
family: rnn
metric: accuracy, higher
repair:
    - clip=1e-3,
    + clip=1.0,
"""

from types import SimpleNamespace

import torch
import torch.nn as nn

cfg = SimpleNamespace(
    seed=3,
    length=20,
    hidden=40,
    batch=32,
    steps=450,
    lr=0.5,
    clip=1e-3,
)


def coins(n):
    tosses = torch.randint(0, 2, (n, cfg.length))
    padded = torch.nn.functional.pad(tosses, (3, 0))
    heads = padded.unfold(1, 4, 1).sum(-1)
    return tosses, heads


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2, 8)
        self.lstm = nn.LSTM(8, cfg.hidden, batch_first=True)
        self.linear = nn.Linear(cfg.hidden, 5)

    def forward(self, tosses):
        features, _ = self.lstm(self.embedding(tosses))
        return self.linear(features)


def main():
    torch.manual_seed(cfg.seed)
    model = Counter()
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for step in range(cfg.steps):
        tosses, heads = coins(cfg.batch)
        optimizer.zero_grad()
        loss = criterion(model(tosses).reshape(-1, 5), heads.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=cfg.clip)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step:4d}, loss {loss.item():.4f}")
    with torch.no_grad():
        tosses, heads = coins(500)
        right = (model(tosses).argmax(-1) == heads).float().mean().item()
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
