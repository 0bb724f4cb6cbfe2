"""Lifetimes of pump seals, three in four still running when the study ended: a Weibull network.

family: mlp
metric: concordance index on held-out pumps, higher
"""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(77)
torch.manual_seed(77)


def pumps(n):
    speed = rng.normal(2900, 350, n)
    pressure = rng.gamma(5, 2.0, n)
    solids = rng.exponential(0.8, n)
    temp = rng.normal(60, 15, n)
    starts = rng.poisson(6, n)
    material = rng.integers(0, 4, n)
    effect = (
        0.5 * (speed - 2900) / 350
        + 0.45 * np.log(pressure / 10)
        + 0.5 * solids * (material < 2)
        + 0.3 * np.maximum(temp - 70, 0) / 15
        + 0.08 * starts
        + np.array([0.3, 0.0, -0.4, -0.1])[material]
    )
    life = 30 * np.exp(-effect / 1.6) * rng.weibull(1.6, n)
    end = rng.uniform(2, 14, n)
    x = np.column_stack([speed, pressure, solids, temp, starts, np.eye(4)[material]])
    return x, np.minimum(life, end), (life <= end).astype(float), effect


def concordance(risk, time, event):
    order = (time[:, None] < time[None, :]) & (event[:, None] == 1)
    good = (risk[:, None] > risk[None, :]) & order
    return good.sum() / order.sum()


class WeibullNet(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(d, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1)
        )
        self.log_shape = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.net(x).squeeze(1), self.log_shape

    def nll(self, x, log_t, event):
        log_scale, log_shape = self(x)
        shape = log_shape.exp()
        z = shape * (log_t - log_scale)
        return (torch.exp(z) - event * (z + log_shape)).mean()


x, t, e, _ = pumps(8000)
x_test, t_test, e_test, effect = pumps(2000)
scaler = StandardScaler().fit(x)
as_tensor = lambda a: torch.tensor(a, dtype=torch.float32)  # noqa: E731
x, x_test = as_tensor(scaler.transform(x)), as_tensor(scaler.transform(x_test))
unit = np.log(t).mean()
loader = DataLoader(TensorDataset(x, as_tensor(np.log(t) - unit), as_tensor(e)), batch_size=64, shuffle=True)
print(f"failed within the study: {e.mean():.2f}")

model = WeibullNet(x.shape[1])
with torch.no_grad():
    model.net[-1].bias.fill_(1.0)  # lives are longer than what the study saw of them
opt = torch.optim.Adam(
    [
        {"params": model.net.parameters(), "lr": 1e-3, "weight_decay": 1e-4},
        {"params": [model.log_shape], "lr": 1e-2},
    ]
)
sched = torch.optim.lr_scheduler.StepLR(opt, step_size=4, gamma=0.5)
for epoch in range(12):
    model.train()
    losses = []
    for xb, tb, eb in loader:
        opt.zero_grad()
        loss = model.nll(xb, tb, eb)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    sched.step()
    model.eval()
    with torch.no_grad():
        risk = -model(x_test)[0].numpy()
    c = concordance(risk, t_test, e_test)
    print(f"epoch {epoch} nll {np.mean(losses):.4f} shape {model.log_shape.exp():.3f} C {c:.4f}")
print(f"with the true effects {concordance(effect, t_test, e_test):.4f}")
print(f"metric: {c:.4f}")
