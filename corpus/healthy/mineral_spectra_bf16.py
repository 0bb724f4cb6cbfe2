"""A one-dimensional convolutional network on mineral spectra, in bfloat16 by autocast.

family: cnn
metric: accuracy, higher
"""

import torch
from torch import nn

import descend

torch.manual_seed(0)
MINERALS, CHANNELS = 8, 96
lines = torch.rand(MINERALS, 4) * (CHANNELS - 16) + 8
heights = 0.4 + torch.rand(MINERALS, 4)


def spectra(n):
    which = torch.randint(0, MINERALS, (n,))
    axis = torch.arange(CHANNELS)
    drift = torch.randn(n, 1) * 1.0
    at = lines[which] + drift
    peaks = heights[which][:, :, None] * torch.exp(-((axis - at[:, :, None]) ** 2) / 6)
    slope = torch.randn(n, 1) * (axis / CHANNELS - 0.5)
    return (peaks.sum(1) + slope + 0.6 * torch.randn(n, CHANNELS)).unsqueeze(1), which


class SpectraNet(nn.Module):
    def __init__(self, c=24):
        super().__init__()
        self.c1 = nn.Conv1d(1, c, 7, padding=3)
        self.c2 = nn.Conv1d(c, c, 5, padding=2, stride=2)
        self.c3 = nn.Conv1d(c, c, 3, padding=1, stride=2)
        self.norm = nn.GroupNorm(4, c)
        self.head = nn.Linear(c * 24, MINERALS)

    def forward(self, x):
        x = nn.functional.relu(self.c1(x))
        x = nn.functional.relu(self.norm(self.c2(x)))
        x = nn.functional.relu(self.c3(x))
        return self.head(x.flatten(1))


x, y = spectra(3000)
x_test, y_test = spectra(1000)
net = SpectraNet()
opt = descend.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
for epoch in range(6):
    for rows in torch.randperm(len(x)).split(50):
        opt.zero_grad()
        with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
    with torch.no_grad(), torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {accuracy:.4f}")
print(f"metric: {accuracy:.4f}")
