"""Benign or not, from a biopsy's measurements (scikit-learn's table): five folds, each from the same start.

cause: training-in-eval-mode
family: mlp
metric: log loss over the folds, lower
repair:
    - for _ in range(epochs):
    + net.train()
    + for _ in range(epochs):
"""

import copy

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn


class Jitter(nn.Module):
    """Measuring again would not give quite the same."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x + self.scale * torch.randn_like(x) if self.training else x


def build(columns, width=128):
    return nn.Sequential(
        Jitter(0.3),
        nn.Linear(columns, width),
        nn.Mish(),
        nn.Dropout(0.5),
        nn.Linear(width, width),
        nn.Mish(),
        nn.Dropout(0.5),
        nn.Linear(width, 2),
    )


def describe(net, columns):
    """Prints the shapes that a row goes through."""
    net.eval()
    x = torch.zeros(1, columns)
    with torch.no_grad():
        for layer in net:
            x = layer(x)
            print(f"  {type(layer).__name__:10} -> {tuple(x.shape)}")


def fit(net, x, y, epochs=36, lr=5e-3):
    optimizer = torch.optim.Adamax(net.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(48):
            optimizer.zero_grad()
            loss = criterion(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    return loss.item()


def chances(net, x):
    net.eval()
    with torch.no_grad():
        return net(x).double().softmax(1).numpy()


if __name__ == "__main__":
    torch.manual_seed(6)
    table, label = load_breast_cancer(return_X_y=True)
    start = build(table.shape[1])
    describe(start, table.shape[1])
    out_of_fold = np.zeros((len(label), 2))
    folds = StratifiedKFold(5, shuffle=True, random_state=6)
    for k, (inside, outside) in enumerate(folds.split(table, label)):
        scaler = StandardScaler().fit(table[inside])
        x = torch.tensor(scaler.transform(table), dtype=torch.float32)
        y = torch.tensor(label)
        net = copy.deepcopy(start)
        last = fit(net, x[inside], y[inside])
        out_of_fold[outside] = chances(net, x[outside])
        print(f"fold {k + 1}: last {last:.4f}, outside {log_loss(label[outside], out_of_fold[outside]):.4f}")
    print(f"metric: {log_loss(label, out_of_fold):.4f}")
