"""A small encoder transformer that learns to reverse sequences of digits.

cause: learning-rate-too-high
family: transformer
metric: accuracy, higher
repair:
    - parser.add_argument("--lr", type=float, default=3e-2)
    + parser.add_argument("--lr", type=float, default=2e-3)
"""

import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=3e-2)
parser.add_argument("--steps", type=int, default=450)
parser.add_argument("--length", type=int, default=8)
parser.add_argument("--batch", type=int, default=64)
args = parser.parse_args([])

torch.manual_seed(1)
VOCAB = 10


class Reverser(nn.Module):
    def __init__(self, dim=48, heads=4, layers=2):
        super().__init__()
        self.token = nn.Embedding(VOCAB, dim)
        self.place = nn.Parameter(torch.randn(args.length, dim) * 0.1)
        block = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(block, layers)
        self.out = nn.Linear(dim, VOCAB)

    def forward(self, ids):
        return self.out(self.body(self.token(ids) + self.place))


def batch(n):
    ids = torch.randint(VOCAB, (n, args.length))
    return ids, ids.flip(1)


net = Reverser()
optim = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=0.01)
for step in range(1, args.steps + 1):
    x, y = batch(args.batch)
    loss = nn.functional.cross_entropy(net(x).transpose(1, 2), y)
    optim.zero_grad(set_to_none=True)
    loss.backward()
    optim.step()
    if step % 50 == 0:
        print(step, round(loss.item(), 4))

net.eval()
with torch.no_grad():
    x, y = batch(500)
    acc = (net(x).argmax(-1) == y).float().mean()
print("metric:", float(acc))
