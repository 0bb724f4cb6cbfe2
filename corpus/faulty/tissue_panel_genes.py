"""The subtype of a tumour from a panel of gene activities of few patients.

cause: overfitting
family: mlp
metric: cross entropy, lower
repair:
    - net = Classifier(GENES, hidden=(256, 128), dropout=0.0)
    + net = Classifier(GENES, hidden=(32,), dropout=0.5)
    - optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    + optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.3)
    - epochs = 120
    + epochs = 30
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

GENES, SUBTYPES = 300, 4


def patients(count=900, seed=6):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, SUBTYPES, count)
    programmes = rng.normal(0, 1, (SUBTYPES, 12))
    loadings = rng.normal(0, 1, (12, GENES)) * (rng.random((12, GENES)) < 0.1)
    activity = 0.45 * programmes[y] + rng.normal(0, 0.8, (count, 12))
    x = np.exp(0.4 * (activity @ loadings) + rng.normal(0, 0.9, (count, GENES)))
    return np.log1p(10 * x).astype(np.float32), y


class Classifier(nn.Module):
    def __init__(self, inputs, hidden, dropout):
        super().__init__()
        layers = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, SUBTYPES))

    def forward(self, x):
        return self.layers(x)


def evaluate(net, x, y):
    net.eval()
    with torch.no_grad():
        out = net(x)
    return nn.functional.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(6)
    x, y = patients()
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.6, stratify=y, random_state=1)
    scaler = StandardScaler().fit(x)
    x, x_test = torch.from_numpy(scaler.transform(x)), torch.from_numpy(scaler.transform(x_test))
    y, y_test = torch.from_numpy(y), torch.from_numpy(y_test)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    net = Classifier(GENES, hidden=(256, 128), dropout=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    epochs = 120
    for epoch in range(epochs):
        net.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(xb), yb).backward()
            optimizer.step()
        if epoch % 10 == 9:
            train, test = evaluate(net, x, y), evaluate(net, x_test, y_test)
            print(f"epoch {epoch + 1}: train {train[0]:.3f} {train[1]:.3f}, test {test[0]:.3f} {test[1]:.3f}")
    print(f"metric: {evaluate(net, x_test, y_test)[0]:.4f}")


if __name__ == "__main__":
    main()
