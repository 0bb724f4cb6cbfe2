"""A deep tabular network with batch normalisation and dropout on a four-way exclusive-or rule.

cause: missing-activation
family: mlp
metric: accuracy, higher
repair:
    - return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.Dropout(p))
    + return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(p))
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def table(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype(np.float32)
    y = (x[:, 0] * x[:, 3] > 0) ^ (x[:, 5] + 0.3 * x[:, 6] > 0.9)
    flip = rng.random(n) < 0.02
    return torch.from_numpy(x), torch.from_numpy((y ^ flip).astype(np.int64))


def layer(n_in, n_out, p=0.1):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.Dropout(p))


class TabularNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(layer(10, 64), layer(64, 64), layer(64, 32))
        self.head = nn.Linear(32, 2)

    def forward(self, x):
        return self.head(self.stack(x))


def main():
    torch.manual_seed(33)
    x, y = table(2500, 33)
    x_val, y_val = table(600, 34)
    loader = DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True)
    model = TabularNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(18):
        model.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
        print(f"epoch={epoch} train_loss={loss.item():.4f} val_acc={accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
