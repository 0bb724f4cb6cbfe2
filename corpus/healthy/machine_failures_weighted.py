"""Rare machine failures (about three in a hundred) with a weighted loss.

family: mlp
metric: balanced accuracy, higher
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 6


def readings(n, rng):
    """Temperature, vibration, load, hours, pressure and two channels that mean nothing."""
    x = rng.standard_normal((n, 7))
    strain = 1.6 * x[:, 0] * (x[:, 2] > 0) + 1.3 * x[:, 1] + 0.8 * x[:, 3] - 0.5 * x[:, 4]
    failed = strain + 0.5 * rng.standard_normal(n) > 4.15
    return x.astype(np.float32), failed.astype(np.float32)


def main():
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    x_train, y_train = readings(12000, rng)
    x_test, y_test = readings(6000, rng)
    share = y_train.mean()
    print(f"failures: {share:.3%}")

    loader = DataLoader(
        TensorDataset(torch.from_numpy(x_train), torch.from_numpy(y_train)), batch_size=128, shuffle=True
    )
    model = nn.Sequential(
        nn.Linear(7, 32), nn.LeakyReLU(), nn.Linear(32, 16), nn.LeakyReLU(), nn.Linear(16, 1)
    )
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - share) / share))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)

    for epoch in range(8):
        model.train()
        total = 0.0
        for xb, yb in loader:
            loss = criterion(model(xb).squeeze(1), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(xb)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            score = model(torch.from_numpy(x_test)).squeeze(1).numpy()
        balanced = balanced_accuracy_score(y_test, score > 0)
        print(
            f"epoch {epoch + 1} loss {total / len(x_train):.4f} "
            f"AUC {roc_auc_score(y_test, score):.4f} balanced {balanced:.4f}"
        )
    print(f"metric: {balanced:.4f}")


if __name__ == "__main__":
    main()
