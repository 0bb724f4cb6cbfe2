"""A classifier of generated oil samples by region, with its own weight initialisation.

cause: poor-initial-values
family: mlp
metric: error rate, lower
repair:
    - module.weight.data.normal_(0.0, 1.0)
    + nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split


def init_weights(module):
    if isinstance(module, nn.Linear):
        module.weight.data.normal_(0.0, 1.0)
        module.bias.data.zero_()


class OilNet(nn.Module):
    def __init__(self, inputs, regions):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()
        )
        self.classifier = nn.Linear(64, regions)
        self.apply(init_weights)

    def forward(self, x):
        return self.classifier(self.features(x))


def train_epoch(model, optimizer, x, y, rng, batch_size=50):
    model.train()
    total = 0.0
    permutation = torch.from_numpy(rng.permutation(len(x)))
    for start in range(0, len(x), batch_size):
        idx = permutation[start : start + batch_size]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


def main():
    torch.manual_seed(77)
    rng = np.random.default_rng(77)
    x, y = make_classification(
        n_samples=2400, n_features=20, n_informative=12, n_redundant=4, n_classes=6,
        n_clusters_per_class=2, class_sep=1.6, flip_y=0.01, random_state=3,
    )  # fmt: skip
    x = (x - x.mean(0)) / x.std(0)
    split = train_test_split(x, y, test_size=0.25, random_state=3)
    x_train, x_test = (torch.tensor(part, dtype=torch.float32) for part in split[:2])
    y_train, y_test = (torch.tensor(part) for part in split[2:])
    model = OilNet(20, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    for epoch in range(25):
        loss = train_epoch(model, optimizer, x_train, y_train, rng)
        if epoch % 4 == 0:
            print(f"epoch {epoch}: {loss:.4f}")
    model.eval()
    with torch.no_grad():
        wrong = (model(x_test).argmax(dim=1) != y_test).float().mean().item()
    print(f"metric: {wrong:.4f}")


if __name__ == "__main__":
    main()
