"""Energy that an electric bus uses on a trip, from the timetable, the weather and the load.

cause: labels-misaligned
family: mlp
metric: r2, higher
repair:
    - return trips[order], used[:, 1], TRAIN
    + return trips[order], used[order, 1], TRAIN
"""

import numpy as np
import torch
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

TRAIN = 3600


def load_trips(n=4500, seed=8):
    """The trips in order of departure, with the energy that the meter in the bus read out."""
    rng = np.random.default_rng(seed)
    departure = rng.uniform(5, 24, n)
    length = rng.uniform(4, 25, n)
    climb = rng.normal(0, 60, n)
    stops = rng.poisson(length * 1.8)
    load = np.clip(rng.normal(25, 12, n) + 15 * np.exp(-(((departure - 8) / 1.5) ** 2)), 0, 80)
    outside = rng.normal(11, 8, n)
    heating = np.maximum(0, 17 - outside) * 0.022 + np.maximum(0, outside - 22) * 0.03
    energy = (
        length * (0.75 + 0.004 * load) + 0.02 * stops + 0.0009 * climb * (12 + 0.07 * load) + heating * length
    )
    energy *= rng.normal(1, 0.03, n)
    trips = np.stack([departure, length, climb, stops, load, outside], axis=1)
    used = np.stack([departure, energy], axis=1)
    order = np.argsort(departure)
    # mix the times of day, the last trips are held out
    order = order[rng.permutation(n)]
    return trips[order], used[:, 1], TRAIN


class EnergyNet(nn.Module):
    def __init__(self, n_in, width=96):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x).flatten()


def main():
    torch.manual_seed(0)
    trips, energy, split = load_trips()
    scaler = StandardScaler().fit(trips[:split])
    x = torch.tensor(scaler.transform(trips), dtype=torch.float32)
    target_scaler = StandardScaler().fit(energy[:split, None])
    y = torch.tensor(target_scaler.transform(energy[:, None])[:, 0], dtype=torch.float32)

    loader = DataLoader(TensorDataset(x[:split], y[:split]), batch_size=60, shuffle=True)
    model = EnergyNet(x.shape[1])
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(25):
        model.train()
        mean_loss = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(xb), yb)
            loss.backward()
            optimizer.step()
            mean_loss += loss.item() / len(loader)
        model.eval()
        with torch.no_grad():
            score = r2_score(y[split:], model(x[split:]))
        print(f"epoch {epoch:2d} | train mse {mean_loss:.4f} | held-out r2 {score:.3f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
