"""A hobby project: the time error of a home-made sundial from the day, hour and tilt of its plate.

cause: underfitting
family: mlp
metric: mean squared error, lower
repair:
    - HIDDEN = 3
    + HIDDEN = 64
"""

import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

HIDDEN = 3


def sundial_error(day, hour, tilt):
    """Equation of time, and the error of a plate that does not lie level, in minutes."""
    b = 2 * math.pi * (day - 81) / 365
    equation = 9.87 * torch.sin(2 * b) - 7.53 * torch.cos(b) - 1.5 * torch.sin(b)
    declination = 0.409 * torch.sin(b)
    sun = (hour - 12) * math.pi / 12
    return (
        equation + 6 * tilt * torch.sin(sun) * torch.cos(declination * 3) + 4 * tilt**2 * torch.cos(2 * sun)
    )


class SundialNet(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(3, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)

    def forward(self, x):
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)


torch.manual_seed(12)
day = torch.rand(3000) * 365
hour = 7 + torch.rand(3000) * 10
tilt = torch.randn(3000) * 0.8
minutes = sundial_error(day, hour, tilt) + 0.3 * torch.randn(3000)
inputs = torch.stack([(day - 182.5) / 105, (hour - 12) / 2.9, tilt / 0.8], 1)
targets = ((minutes - minutes.mean()) / minutes.std()).unsqueeze(1)

train_data, test_data = random_split(TensorDataset(inputs, targets), [2400, 600])
train_loader = DataLoader(train_data, batch_size=64, shuffle=True)
test_loader = DataLoader(test_data, batch_size=600)

net = SundialNet(HIDDEN)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

for epoch in range(1, 41):
    net.train()
    train_loss = 0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    net.eval()
    with torch.no_grad():
        x, y = next(iter(test_loader))
        test_loss = criterion(net(x), y).item()
    if epoch % 5 == 0:
        print(f"Epoch {epoch}, train loss {train_loss / len(train_loader):.4f}, test loss {test_loss:.4f}")

print(f"metric: {test_loss:.5f}")
