"""A multilayer perceptron that predicts the biomass of the scarcer tree species on survey plots.

cause: dead-units
family: mlp
metric: mse, lower
repair:
    - nn.Linear(64, N_SPECIES),
    - nn.ReLU(),
    + nn.Linear(64, N_SPECIES),
    + nn.Softplus(),
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 12
N_SPECIES = 16
np.random.seed(SEED)
torch.manual_seed(SEED)

# site variables: elevation, slope, northness, soil depth, ph, rainfall, temperature, canopy age
n = 4000
site = np.random.randn(n, 8)
site[:, 6] = -0.7 * site[:, 0] + 0.5 * site[:, 6]
candidates = 80
optimum = np.random.randn(candidates, 8) * 2.0
distance = ((site[:, None, :] - optimum[None]) ** 2 * np.random.uniform(0, 1, (candidates, 8))).sum(2)
biomass = 6.0 * np.exp(-distance / 6.0) * np.random.gamma(20, 1 / 20, (n, candidates))
biomass[biomass < 0.3] = 0.0  # below the survey's threshold
share = (biomass > 0).mean(0)
biomass = biomass[:, (share > 0.015) & (share < 0.25)][:, :N_SPECIES]
biomass /= biomass[:3200].std(0)

X = torch.tensor(site, dtype=torch.float32)
Y = torch.tensor(biomass, dtype=torch.float32)
X_train, Y_train, X_val, Y_val = X[:3200], Y[:3200], X[3200:], Y[3200:]
loader = DataLoader(TensorDataset(X_train, Y_train), batch_size=64, shuffle=True)

model = nn.Sequential(
    nn.Linear(8, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    # biomass is never negative
    nn.Linear(64, N_SPECIES),
    nn.ReLU(),
)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(25):
    model.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    model.eval()
    with torch.no_grad():
        val = criterion(model(X_val), Y_val).item()
    print(f"epoch {epoch:2d}  train mse {total / len(X_train):.4f}  val mse {val:.4f}")

print(f"metric: {val:.5f}")
