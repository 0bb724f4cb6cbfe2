"""Blood pressure from a medical check-up, with a residual network for tables.

cause: parameters-not-in-optimizer
family: mlp
metric: R², higher
repair:
    - self.blocks = [Block(width, dropout) for _ in range(n_blocks)]
    + self.blocks = nn.ModuleList([Block(width, dropout) for _ in range(n_blocks)])
"""

import numpy as np
import torch
from sklearn.preprocessing import QuantileTransformer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def checkups(n, seed=120):
    rng = np.random.default_rng(seed)
    age, mass = rng.uniform(20, 85, n), rng.lognormal(3.27, 0.18, n)
    salt, sport = rng.gamma(5, 1.8, n), rng.gamma(1.5, 2, n)
    pulse, sleep = rng.normal(70, 10, n) - sport, rng.normal(7, 1, n)
    smoker, drug = rng.random(n) < 0.25, rng.random(n) < np.clip((age - 40) / 80, 0, 0.5)
    noise = rng.normal(0, 3, n)
    pressure = 105 + 0.012 * (age - 20) ** 2 + 6 * np.sin(pulse / 7)
    pressure += 0.04 * (mass - 24) * (salt - 4) * (age / 40)
    pressure += 7 * smoker * (age > 45) + 9 * np.cos(1.8 * sleep) * np.exp(-sport / 3) - 12 * drug + noise
    x = np.column_stack([age, mass, salt, sport, pulse, sleep, smoker, drug])
    return x, (pressure - pressure.mean()) / pressure.std()


class Block(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, 2 * width)
        self.linear2 = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        z = self.dropout(torch.relu(self.linear1(self.norm(x))))
        return x + self.linear2(z)


class ResMLP(nn.Module):
    def __init__(self, n_in, width=48, n_blocks=3, dropout=0.05):
        super().__init__()
        self.first = nn.Linear(n_in, width)
        self.blocks = [Block(width, dropout) for _ in range(n_blocks)]
        self.last = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x).squeeze(-1)


def main():
    torch.manual_seed(120)
    x, y = checkups(6000)
    transform = QuantileTransformer(output_distribution="normal", random_state=0).fit(x[:4500])
    x, y = torch.tensor(transform.transform(x), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    train_loader = DataLoader(TensorDataset(x[:4500], y[:4500]), batch_size=64, shuffle=True)
    model = ResMLP(x.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(14):
        model.train()
        for xb, yb in train_loader:
            loss = nn.functional.mse_loss(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            residual = model(x[4500:]) - y[4500:]
        r2 = 1 - residual.square().mean() / y[4500:].var()
        print(f"epoch {epoch:2d} last batch {loss.item():.4f} held-out R2 {r2:.4f}")
    print(f"metric: {r2.item():.4f}")


if __name__ == "__main__":
    main()
