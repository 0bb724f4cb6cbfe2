"""Old film is cleaned without any clean frame: the net maps one grainy copy of a scene to another.

family: cnn
metric: mean squared error against the clean scene, lower
"""

import torch
from torch import nn

GRAIN = 0.35


def scenes(n, size=20):
    axis = torch.linspace(0, 1, size)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    out = 0.3 + 0.3 * torch.rand(n, 1, 1) * x + 0.2 * torch.rand(n, 1, 1) * y
    for _ in range(3):
        cx, cy, half_w, half_h = (a.view(-1, 1, 1) for a in torch.rand(4, n))
        box = ((x - cx).abs() < 0.1 + 0.2 * half_w) & ((y - cy).abs() < 0.1 + 0.2 * half_h)
        out = torch.where(box, torch.rand(n, 1, 1), out)
    return out.unsqueeze(1)


class Residual(nn.Module):
    def __init__(self, width=20, depth=4):
        super().__init__()
        layers = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, 1, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x - self.layers(x)


torch.manual_seed(1895)
train, test = scenes(1500), scenes(200)
test_grainy = test + GRAIN * torch.randn_like(test)

model = Residual()
mse = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
print(f"grainy: {mse(test_grainy, test):.4f}")
for step in range(1, 601):
    clean = train[torch.randint(len(train), (16,))]
    first = clean + GRAIN * torch.randn_like(clean)
    second = clean + GRAIN * torch.randn_like(clean)
    loss = mse(model(first), second)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == 450:
        for group in optimizer.param_groups:
            group["lr"] = 2e-4
    if step % 75 == 0:
        with torch.no_grad():
            error = mse(model(test_grainy), test).item()
        print(f"{step:4d}  loss {loss.item():.4f}  test {error:.5f}")
print(f"metric: {error:.6f}")
