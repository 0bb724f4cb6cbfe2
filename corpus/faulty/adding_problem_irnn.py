"""The adding problem with a ReLU recurrent network started at the identity.

cause: exploding-gradients
family: rnn
metric: mean squared error, lower
repair:
    - loss.backward()
    + loss.backward()
    + nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(2)
T = 30


def adding(n):
    values = torch.rand(n, T)
    marks = torch.zeros(n, T)
    first = torch.randint(0, T // 2, (n,))
    second = torch.randint(T // 2, T, (n,))
    marks[torch.arange(n), first] = 1
    marks[torch.arange(n), second] = 1
    total = (values * marks).sum(1)
    return torch.stack([values, marks], dim=2), total


class IRNN(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.cell = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        self.linear = nn.Linear(hidden, 1)
        nn.init.eye_(self.cell.weight_hh_l0)
        nn.init.zeros_(self.cell.bias_hh_l0)
        nn.init.zeros_(self.cell.bias_ih_l0)
        nn.init.normal_(self.cell.weight_ih_l0, std=0.05)

    def forward(self, x):
        return self.linear(self.cell(x)[0][:, -1]).squeeze(-1)


model = IRNN()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
x_test, y_test = adding(500)

for it in range(500):
    x, y = adding(32)
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 100 == 0 or it == 499:
        with torch.no_grad():
            test = F.mse_loss(model(x_test), y_test).item()
        print(f"iteration {it}: train {loss.item():.4f} test {test:.4f}")

print(f"metric: {test}")
