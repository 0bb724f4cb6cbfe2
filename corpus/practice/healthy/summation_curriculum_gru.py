"""Column sums of several rows of digits: a GRU on a curriculum from one row to four.

family: rnn
metric: share of digits right on sums of four numbers, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(29)
LENGTH, MAX_ROWS = 6, 4


def make_batch(rows, n=64):
    """Numbers come least significant digit first; unused rows hold zeros."""
    digits = torch.randint(0, 10, (n, MAX_ROWS, LENGTH))
    digits[:, rows:] = 0
    digits[:, :, -1] = 0  # room for the last carry
    carry = torch.zeros(n, dtype=torch.long)
    sums = []
    for t in range(LENGTH):
        s = digits[:, :, t].sum(1) + carry
        sums.append(s % 10)
        carry = s // 10
    return digits.transpose(1, 2), torch.stack(sums, 1)


class Adder(nn.Module):
    def __init__(self, emb=16, hidden=96):
        super().__init__()
        self.digit = nn.Embedding(10, emb)
        self.mix = nn.Linear(emb, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, digits):
        columns = self.mix(self.digit(digits).sum(2))  # order of the rows does not matter
        h, _ = self.gru(columns)
        return self.head(h)


@torch.no_grad()
def accuracy(model, rows, n=1000):
    digits, sums = make_batch(rows, n)
    return (model(digits).argmax(2) == sums).float().mean().item()


model = Adder()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
steps, per_rows = 0, []
for rows in range(1, MAX_ROWS + 1):
    for i in range(150 if rows < MAX_ROWS else 750):
        # two batches in five repeat an earlier stage
        now = rows if torch.rand(()) < 0.6 else int(torch.randint(1, rows + 1, ()))
        if rows == MAX_ROWS and i == 500:
            optimizer.param_groups[0]["lr"] = 6e-4
        digits, sums = make_batch(now)
        loss = F.cross_entropy(model(digits).flatten(0, 1), sums.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
        if steps % 50 == 0:
            print(f"step {steps} stage {rows} loss {loss.item():.4f} this stage {accuracy(model, rows):.3f}")
print(f"metric: {accuracy(model, MAX_ROWS, 3000):.4f}")
