"""Clicks on coupons by shop, hour and customer group, with a factorisation machine.

cause: batch-too-small
family: recommender
metric: log loss above the best possible, lower
repair:
    - parser.add_argument("--batch", type=int, default=2)
    + parser.add_argument("--batch", type=int, default=256)
"""

import argparse

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as log_loss

FIELDS = (60, 24, 12, 40)


class FactorisationMachine(nn.Module):
    def __init__(self, fields, rank):
        super().__init__()
        self.register_buffer("first", torch.tensor([0, *fields[:-1]]).cumsum(0))
        self.linear = nn.Embedding(sum(fields), 1)
        self.factors = nn.Embedding(sum(fields), rank)
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.linear.weight)
        nn.init.normal_(self.factors.weight, std=0.05)

    def forward(self, rows):
        rows = rows + self.first
        v = self.factors(rows)
        pairs = (v.sum(1).pow(2) - v.pow(2).sum(1)).sum(1) / 2
        return self.bias + self.linear(rows).sum((1, 2)) + pairs


def clicks(n, truth):
    rows = torch.stack([torch.randint(size, (n,)) for size in FIELDS], 1)
    with torch.no_grad():
        logits = truth(rows)
    return rows, torch.bernoulli(torch.sigmoid(logits)), logits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.005)
    parser.add_argument("--steps", type=int, default=2000)
    args = parser.parse_args()

    torch.manual_seed(33)
    truth = FactorisationMachine(FIELDS, 3)
    nn.init.normal_(truth.factors.weight, std=0.45)
    nn.init.normal_(truth.linear.weight, std=0.3)
    nn.init.constant_(truth.bias, -1.5)
    rows, labels, _ = clicks(60000, truth)
    test_rows, test_labels, test_logits = clicks(6000, truth)

    model = FactorisationMachine(FIELDS, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.rate, betas=(0.9, 0.99))
    average = 0.7
    for step in range(args.steps):
        chosen = torch.randint(len(rows), (args.batch,))
        loss = log_loss(model(rows[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = 0.99 * average + 0.01 * loss.item()
        if step % 250 == 0:
            print(f"step {step} average loss {average:.4f}")
    with torch.no_grad():
        gap = log_loss(model(test_rows), test_labels) - log_loss(test_logits, test_labels)
    print(f"metric: {gap.item():.5f}")


if __name__ == "__main__":
    main()
