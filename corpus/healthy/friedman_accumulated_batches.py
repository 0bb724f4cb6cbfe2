"""Regression on Friedman's function; the gradient is gathered over eight small batches before each step.

family: mlp
metric: R2, higher
"""

import torch
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)

X, t = make_friedman1(n_samples=4000, n_features=10, noise=0.5, random_state=42)
X = StandardScaler().fit(X[:3200]).transform(X)
t = StandardScaler().fit(t[:3200, None]).transform(t[:, None])
X, t = torch.from_numpy(X).float(), torch.from_numpy(t).float()
loader = DataLoader(TensorDataset(X[:3200], t[:3200]), batch_size=16, shuffle=True)

net = torch.nn.Sequential(
    torch.nn.Linear(10, 64), torch.nn.Mish(), torch.nn.Linear(64, 64), torch.nn.Mish(), torch.nn.Linear(64, 1)
)
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.PolynomialLR(opt, total_iters=16, power=1.5)
accum_steps = 8

opt.zero_grad()
for epoch in range(16):
    net.train()
    epoch_loss = 0.0
    for i, (xb, tb) in enumerate(loader):
        loss = torch.nn.functional.mse_loss(net(xb), tb)
        epoch_loss += loss.item()
        (loss / accum_steps).backward()
        if (i + 1) % accum_steps == 0:
            opt.step()
            opt.zero_grad()
    sched.step()
    net.eval()
    with torch.no_grad():
        test = torch.nn.functional.mse_loss(net(X[3200:]), t[3200:]).item()
    if epoch % 3 == 0:
        print(f"epoch {epoch} train {epoch_loss / len(loader):.4f} test {test:.4f}")

print(f"metric: {1 - test / t[3200:].var(correction=0).item():.4f}")
