"""Moisture of hay bales from near-infrared readings, a lab's calibration model.

cause: loss-broadcast
family: mlp
metric: r2, higher
repair:
    - y_train = torch.tensor(moisture[:1600], dtype=torch.float32)
    + y_train = torch.tensor(moisture[:1600], dtype=torch.float32).reshape(-1, 1)
"""

import warnings

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(17)
rng = np.random.default_rng(17)

# readings at 120 wavelengths: water bands at 1450 and 1940 nm, fibre, protein, and scatter
wavelength = np.linspace(1100, 2300, 120)
n = 2000
moisture = rng.normal(14, 3, n).clip(6, 25)
fibre = rng.normal(32, 4, n)
protein = rng.normal(11, 2, n)
water_band = np.exp(-(((wavelength - 1450) / 45) ** 2)) + 1.4 * np.exp(-(((wavelength - 1940) / 50) ** 2))
fibre_band = np.exp(-(((wavelength - 2100) / 90) ** 2)) + 0.5 * np.exp(-(((wavelength - 1500) / 80) ** 2))
protein_band = np.exp(-(((wavelength - 2050) / 40) ** 2))
spectra = 1 - np.exp(-0.05 * moisture[:, None] * water_band)
spectra = spectra + 0.02 * fibre[:, None] * fibre_band + 0.03 * protein[:, None] * protein_band
spectra = spectra * rng.normal(1, 0.06, (n, 1)) + rng.normal(0, 0.05, (n, 1))
spectra = spectra + rng.normal(0, 0.01, spectra.shape)
moisture = (moisture - 14) / 3

pca = PCA(n_components=15, whiten=True).fit(spectra[:1600])
X_train = torch.tensor(pca.transform(spectra[:1600]), dtype=torch.float32)
X_test = torch.tensor(pca.transform(spectra[1600:]), dtype=torch.float32)
y_train = torch.tensor(moisture[:1600], dtype=torch.float32)

model = nn.Sequential(
    nn.Linear(15, 64),
    nn.SiLU(),
    nn.Linear(64, 64),
    nn.SiLU(),
    nn.Linear(64, 1),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
loss_fn = nn.MSELoss()

for epoch in range(40):
    model.train()
    shuffled = torch.randperm(1600)
    epoch_loss = 0.0
    for start in range(0, 1600, 40):
        batch = shuffled[start : start + 40]
        y_pred = model(X_train[batch])
        loss = loss_fn(y_pred, y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 40
    scheduler.step()
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1}: {epoch_loss:.4f}")

model.eval()
with torch.no_grad():
    predicted = model(X_test).numpy().ravel()
print(f"metric: {r2_score(moisture[1600:], predicted):.4f}")
