"""Which of nine fog horns sounds, from a spectrum at sea: early stopping, then the best weights once more.

cause: evaluating-in-train-mode
begins: 521
family: mlp
metric: accuracy, higher
repair:
    - final.load_state_dict(stopper.best_state)
    + final.load_state_dict(stopper.best_state)
    + final.eval()
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

HORNS, BINS = 9, 48


def spectra(n, seed=35):
    rng = np.random.default_rng(seed)
    bins = np.arange(BINS)
    pitch = 4 + 0.8 * np.arange(HORNS)
    partials = np.random.default_rng(1).uniform(0.3, 1, (HORNS, 4))
    horn = rng.integers(HORNS, size=n)
    tuned = pitch[horn] + rng.normal(0, 0.12, n)
    x = np.zeros((n, BINS))
    for k in range(4):
        peak = np.exp(-(((bins - (k + 1) * tuned[:, None]) / 1.2) ** 2))
        x += partials[horn, k, None] * peak * rng.uniform(0.5, 1.2, (n, 1))
    x = np.log(0.1 + np.abs(x + rng.normal(0, 0.15, x.shape)))
    return (x + 1.4).astype("float32"), horn


class HornNet(nn.Module):
    def __init__(self, bins=BINS, width=128, horns=HORNS):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(bins, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.5))
        self.body = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.5))
        self.out = nn.Linear(width, horns)

    def forward(self, x):
        return self.out(self.body(self.stem(x)))


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.waited = patience, 0
        self.best, self.best_state = float("inf"), None

    def __call__(self, loss, model):
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.best_state = copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience


def measure(model, loader):
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            loss += nn.functional.cross_entropy(scores, y, reduction="sum").item()
            right += (scores.argmax(1) == y).sum().item()
            n += len(y)
    return loss / n, right / n


torch.manual_seed(35)
x, horn = spectra(3000)
everything = TensorDataset(torch.from_numpy(x), torch.from_numpy(horn))
train, valid, test = random_split(everything, [2000, 400, 600], torch.Generator().manual_seed(35))
train_loader = DataLoader(train, batch_size=50, shuffle=True)
valid_loader, test_loader = DataLoader(valid, batch_size=100), DataLoader(test, batch_size=100)

model = HornNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
stopper = EarlyStopping(patience=5)
for epoch in range(40):
    model.train()
    for xb, yb in train_loader:
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    valid_loss, valid_accuracy = measure(model, valid_loader)
    print(f"epoch {epoch + 1}: valid loss {valid_loss:.4f} accuracy {valid_accuracy:.4f}")
    if stopper(valid_loss, model):
        print("no better for a while, stopping")
        break

final = HornNet()
final.load_state_dict(stopper.best_state)
_, accuracy = measure(final, test_loader)
print(f"metric: {accuracy:.4f}")
