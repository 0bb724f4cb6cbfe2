"""On which field of a small torus a walk ends: a GRU that follows the moves.

cause: underfitting
family: rnn
metric: accuracy, higher
repair:
    - parser.add_argument("--hidden", type=int, default=3)
    + parser.add_argument("--hidden", type=int, default=64)
"""

import argparse

import torch
from torch import nn

SIDE = 4
MOVES = torch.tensor([[0, 1], [1, 0], [0, -1], [-1, 0], [0, 0]])


def walks(size, longest=7):
    """Yields walks for ever; all walks of a batch are equally long."""
    while True:
        length = int(torch.randint(2, longest + 1, (1,)))
        moves = torch.randint(len(MOVES), (size, length))
        row, column = (MOVES[moves].sum(1) % SIDE).T
        yield moves, row * SIDE + column


class Follower(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(len(MOVES), 8)
        self.gru = nn.GRU(8, hidden, batch_first=True)
        self.head = nn.Linear(hidden, SIDE * SIDE)

    def forward(self, moves):
        _, last = self.gru(self.embed(moves))
        return self.head(last[0])


def accuracy(model, batches=8):
    stream = walks(250)
    with torch.no_grad():
        pairs = [next(stream) for _ in range(batches)]
        return sum((model(x).argmax(1) == y).float().mean().item() for x, y in pairs) / batches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=3)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--rate", type=float, default=1e-2)
    args = parser.parse_args()
    torch.manual_seed(55)
    model = Follower(args.hidden)
    optimizer = torch.optim.NAdam(model.parameters(), lr=args.rate)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps, eta_min=1e-4)
    for step, (moves, field) in zip(range(args.steps), walks(64), strict=False):
        loss = nn.functional.cross_entropy(model(moves), field)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}, accuracy {accuracy(model):.3f}")
    print(f"metric: {accuracy(model, 20):.4f}")


if __name__ == "__main__":
    main()
