"""Growth of generated plants from soil and weather, with hooks that bound each gradient entry.

cause: gradient-clipped-away
family: mlp
metric: mean squared error, lower
repair:
    - bound = 1e-5
    + bound = 1.0
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(29)


def garden(n):
    soil = torch.rand(n, 3)
    rain, sun, heat = torch.rand(3, n)
    growth = (
        2 * rain * (1 - rain) + torch.sin(3 * sun) * soil[:, 0] - (heat - 0.6).pow(2) * 3 + 0.5 * soil[:, 1]
    )
    growth = growth + 0.05 * torch.randn(n)
    inputs = torch.cat([soil, torch.stack([rain, sun, heat], 1)], 1) * 2 - 1
    return inputs, (growth - 0.8) * 2


class Plant(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 50)
        self.second = nn.Linear(50, 50)
        self.last = nn.Linear(50, 1)
        bound = 1e-5
        for p in self.parameters():
            p.register_hook(lambda grad: grad.clamp(-bound, bound))

    def forward(self, x):
        x = torch.nn.functional.softplus(self.first(x))
        x = torch.nn.functional.softplus(self.second(x))
        return self.last(x)[:, 0]


plants = DataLoader(TensorDataset(*garden(1600)), batch_size=64, shuffle=True)
model = Plant()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(30):
    for x, y in plants:

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = (model(x) - y).square().mean()
            loss.backward()
            return loss

        loss = optimizer.step(closure)
    if epoch % 5 == 0:
        print(f"after epoch {epoch}: {loss.item():.4f}")

x, y = garden(1000)
with torch.no_grad():
    print(f"metric: {(model(x) - y).square().mean().item():.5f}")
