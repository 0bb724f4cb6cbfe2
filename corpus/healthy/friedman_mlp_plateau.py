"""A small regressor on Friedman's benchmark function, its rate lowered when validation stalls.

family: mlp
metric: r2, higher
"""

import torch
from sklearn.datasets import make_friedman1
from sklearn.metrics import r2_score
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

SEED = 11


class Regressor(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x).squeeze(-1)


def load():
    x, y = make_friedman1(n_samples=2400, noise=1.0, random_state=SEED)
    x = torch.tensor(x, dtype=torch.float32) * 2 - 1
    y = torch.tensor(y, dtype=torch.float32)
    parts = [slice(0, 1600), slice(1600, 2000), slice(2000, 2400)]
    mean, std = y[parts[0]].mean(), y[parts[0]].std()
    return [(x[p], (y[p] - mean) / std) for p in parts]


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    loss = nn.functional.mse_loss(model(x), y).item()
    model.train()
    return loss


def train():
    torch.manual_seed(SEED)
    (x, y), (xv, yv), (xt, yt) = load()
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = Regressor()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.3, patience=3, min_lr=1e-5)
    for epoch in range(40):
        for xb, yb in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.mse_loss(model(xb), yb)
            loss.backward()
            optimizer.step()
        validation = evaluate(model, xv, yv)
        scheduler.step(validation)
        rate = optimizer.param_groups[0]["lr"]
        if epoch % 5 == 0:
            print(f"epoch {epoch:2d} train {evaluate(model, x, y):.4f} val {validation:.4f} lr {rate:.1e}")
    with torch.no_grad():
        return r2_score(yt, model(xt))


if __name__ == "__main__":
    print(f"metric: {train():.4f}")
