"""Inverse kinematics of a three-joint arm: joint angles for a wanted place and heading of the hand.

cause: missing-zero-grad
family: mlp
metric: mean distance of the hand from its target, lower
repair:
    - output = net(inputs)
    + optimizer.zero_grad()
    + output = net(inputs)
"""

import math

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

LINKS = (1.0, 0.8, 0.4)


def forward_kinematics(angles):
    """Hand position and heading for (n, 3) joint angles."""
    total = angles.cumsum(dim=1)
    x = sum(length * torch.cos(total[:, i]) for i, length in enumerate(LINKS))
    y = sum(length * torch.sin(total[:, i]) for i, length in enumerate(LINKS))
    return torch.stack([x, y, torch.cos(total[:, 2]), torch.sin(total[:, 2])], dim=1)


def sample(n):
    # elbow-down configurations only, otherwise there are two answers
    low = torch.tensor([-math.pi / 3, 0.2, -0.8])
    high = torch.tensor([math.pi / 3, 2.2, 0.8])
    angles = low + (high - low) * torch.rand(n, 3)
    return forward_kinematics(angles), angles


class IKNet(nn.Module):
    def __init__(self, hidden=100):
        super().__init__()
        self.fc1 = nn.Linear(4, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, hidden)
        self.fc4 = nn.Linear(hidden, 3)

    def forward(self, x):
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        x = torch.tanh(self.fc3(x))
        return self.fc4(x)


torch.manual_seed(7)
train_dataset = TensorDataset(*sample(4000))
test_targets, test_angles = sample(1000)
trainloader = DataLoader(train_dataset, batch_size=64, shuffle=True)

net = IKNet()
criterion = nn.MSELoss()
optimizer = optim.Adam(net.parameters(), lr=0.001)

for epoch in range(25):
    running_loss = 0.0
    for inputs, labels in trainloader:
        output = net(inputs)
        loss = criterion(output, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    if epoch % 5 == 4:
        print(f"Epoch: {epoch + 1}, loss: {running_loss / len(trainloader):.5f}")

with torch.no_grad():
    reached = forward_kinematics(net(test_targets))
    miss = (reached[:, :2] - test_targets[:, :2]).norm(dim=1).mean().item()
print("Finished Training")
print(f"metric: {miss:.5f}")
