"""A deep perceptron that guesses a speaker's region from the formants of a few vowels.

cause: vanishing-gradients
family: mlp
metric: accuracy, higher
repair:
    - x = torch.relu(layer(x))
    + x = x + torch.relu(layer(x))
"""

import numpy as np
import torch
from torch import nn

torch.manual_seed(3)
rng = np.random.default_rng(3)

REGIONS = 6
VOWELS = 5
cfg = {"depth": 18, "width": 64, "lr": 0.02, "batch": 64, "epochs": 14}

# F1 and F2 of five vowels per region; speakers differ by the length of the vocal tract
base = np.array([[300, 2300], [450, 1900], [750, 1300], [480, 900], [330, 800]], dtype=float)
region_shift = rng.normal(0, [35, 90], (REGIONS, VOWELS, 2))


def speakers(n):
    region = rng.integers(0, REGIONS, n)
    tract = rng.normal(1.0, 0.06, (n, 1, 1))
    formants = (base + region_shift[region]) * tract + rng.normal(0, [18, 45], (n, VOWELS, 2))
    return formants.reshape(n, -1), region


x, y = speakers(4000)
mean, std = x[:3200].mean(0), x[:3200].std(0)
x = torch.tensor((x - mean) / std, dtype=torch.float32)
y = torch.tensor(y)
x_tr, y_tr, x_va, y_va = x[:3200], y[:3200], x[3200:], y[3200:]


class DeepNet(nn.Module):
    def __init__(self, depth, width):
        super().__init__()
        self.stem = nn.Linear(2 * VOWELS, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, REGIONS)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(self.norm(x))


model = DeepNet(cfg["depth"], cfg["width"])
print(sum(p.numel() for p in model.parameters()), "parameters")
optimizer = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(cfg["epochs"]):
    perm = torch.randperm(len(x_tr))
    losses = []
    for i in range(0, len(perm), cfg["batch"]):
        idx = perm[i : i + cfg["batch"]]
        loss = loss_fn(model(x_tr[idx]), y_tr[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        acc = (model(x_va).argmax(1) == y_va).float().mean().item()
    print(f"epoch {epoch} train loss {np.mean(losses):.4f} val acc {acc:.4f}")

print(f"metric: {acc:.4f}")
