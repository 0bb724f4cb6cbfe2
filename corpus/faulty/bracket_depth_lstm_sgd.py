"""An LSTM follows how deep the brackets of a formula are nested at every sign.

cause: optimizer-recreated
family: rnn
metric: accuracy, higher
repair:
    - def update(model, batch, lr):
    - optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.95, nesterov=True)
    + def update(model, batch, optimizer):
    - for step in range(STEPS):
    - loss = update(model, formulas(40), lr=0.03)
    + optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.95, nesterov=True)
    + for step in range(STEPS):
    +     loss = update(model, formulas(40), optimizer)
"""

import torch
import torch.nn.functional as F
from torch import nn

SIGNS, LENGTH, DEEPEST = 6, 24, 5
STEPS = 600


def formulas(n):
    """Signs 0 and 1 are brackets, the rest stand for names and operations."""
    signs = torch.zeros(n, LENGTH, dtype=torch.long)
    depths = torch.zeros(n, LENGTH, dtype=torch.long)
    depth = torch.zeros(n, dtype=torch.long)
    for t in range(LENGTH):
        chance = torch.rand(n)
        opens = (chance < 0.38) & (depth < DEEPEST)
        closes = (chance > 0.66) & (depth > 0)
        depth = depth + opens.long() - closes.long()
        signs[:, t] = torch.where(opens, 0, torch.where(closes, 1, torch.randint(2, SIGNS, (n,))))
        depths[:, t] = depth
    return signs, depths


class DepthReader(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(SIGNS, 8)
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.out = nn.Linear(hidden, DEEPEST + 1)

    def forward(self, signs):
        return self.out(self.lstm(self.embed(signs))[0])


def update(model, batch, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.95, nesterov=True)
    signs, depths = batch
    loss = F.cross_entropy(model(signs).transpose(1, 2), depths)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
    optimizer.step()
    return loss.item()


def main():
    torch.manual_seed(50)
    model = DepthReader()
    for step in range(STEPS):
        loss = update(model, formulas(40), lr=0.03)
        if step % 100 == 0:
            print(f"step {step} loss {loss:.4f}")
    signs, depths = formulas(500)
    with torch.no_grad():
        print(f"metric: {(model(signs).argmax(-1) == depths).float().mean().item():.4f}")


main()
