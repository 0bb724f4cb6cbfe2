"""Tumours by a small net, differentially private: each patient's gradient is cut to length, noise is added.

family: mlp
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)
LENGTH, NOISE, LOT = 0.05, 1.0, 60

X, y = load_breast_cancer(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=1, stratify=y)
mean, std = Xa.mean(0), Xa.std(0)
Xa = torch.tensor((Xa - mean) / std, dtype=torch.float32)
Xb = torch.tensor((Xb - mean) / std, dtype=torch.float32)
ya, yb = torch.tensor(ya), torch.tensor(yb)

model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=2.0, momentum=0.5)


def patient_loss(weights, x, t):
    return F.cross_entropy(functional_call(model, weights, (x[None],)), t[None])


each_patient = vmap(grad(patient_loss), in_dims=(None, 0, 0))

for step in range(500):
    chosen = torch.rand(len(Xa)) < LOT / len(Xa)
    weights = {k: v.detach() for k, v in model.named_parameters()}
    gradients = each_patient(weights, Xa[chosen], ya[chosen])
    lengths = sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt()
    shrink = (LENGTH / (lengths + 1e-6)).clamp_max(1.0)
    for name, p in model.named_parameters():
        total = torch.einsum("b,b...->...", shrink, gradients[name])
        p.grad = (total + NOISE * LENGTH * torch.randn_like(p)) / LOT
    optimizer.step()
    if step % 100 == 0:
        with torch.no_grad():
            loss = F.cross_entropy(model(Xa), ya).item()
            acc = (model(Xb).argmax(1) == yb).float().mean().item()
        print(f"step {step} loss {loss:.4f} cut {(shrink < 1).float().mean().item():.2f} acc {acc:.4f}")

with torch.no_grad():
    print("metric:", (model(Xb).argmax(1) == yb).float().mean().item())
