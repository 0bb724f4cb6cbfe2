"""A GRU on the adding problem: the sum of the two marked numbers in a sequence.

family: rnn
metric: mean squared error on new sequences, lower
"""

import torch


def make(n, length=24):
    values = torch.rand(n, length)
    marks = torch.zeros(n, length)
    half = length // 2
    marks[torch.arange(n), torch.randint(0, half, (n,))] = 1
    marks[torch.arange(n), torch.randint(half, length, (n,))] = 1
    return torch.stack([values, marks], 2), (values * marks).sum(1, keepdim=True)


class Adder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(2, 48, batch_first=True)
        self.read = torch.nn.Linear(48, 1)

    def forward(self, x):
        _, last = self.gru(x)
        return self.read(last[0])


torch.manual_seed(7)
model = Adder()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=600, pct_start=0.3)
recent = []
for step in range(600):
    x, y = make(64)
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    schedule.step()
    recent.append(loss.item())
    if len(recent) == 50:
        print(f"{step + 1:5d}  {sum(recent) / 50:.5f}")
        recent.clear()

with torch.no_grad():
    x, y = make(2000)
    print("variance of the target:", y.var().item())
    print("metric:", torch.nn.functional.mse_loss(model(x), y).item())
