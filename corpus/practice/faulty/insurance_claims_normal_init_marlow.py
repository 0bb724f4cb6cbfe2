"""Will a policy have a claim this year? A multilayer perceptron with its weights set by hand.

cause: poor-initial-values
family: mlp
metric: accuracy, higher
repair:
    - m.weight.data.normal_(0.0, 1.0)
    + nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Policies(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        age, car, power = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
        km, city, garage = rng.normal(size=n), rng.random(n) < 0.4, rng.random(n) < 0.5
        other = rng.normal(size=(n, 10))
        risk = 1.2 * age**2 - 1.2 + 1.4 * km + 0.9 * power * (age < 0) + 1.1 * city - 0.8 * garage
        risk += 0.8 * np.maximum(car, 0) * km
        claim = risk + 0.6 * rng.logistic(size=n) > 0.4
        x = np.column_stack([age, car, power, km, city - 0.4, garage - 0.5, other])
        self.x = torch.tensor(x, dtype=torch.float32)
        self.y = torch.tensor(claim, dtype=torch.long)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def weights_init(m):
    if isinstance(m, nn.Linear):
        m.weight.data.normal_(0.0, 1.0)
        m.bias.data.fill_(0)


class ClaimNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(16, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 2),
        )
        self.apply(weights_init)

    def forward(self, x):
        return self.net(x)


def run_epoch(model, loader, criterion, optimizer=None):
    total, right, count = 0.0, 0, 0
    model.train(optimizer is not None)
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            out = model(x)
            loss = criterion(out, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(y)
            right += (out.argmax(1) == y).sum().item()
            count += len(y)
    return total / count, right / count


if __name__ == "__main__":
    torch.manual_seed(44)
    train_loader = DataLoader(Policies(4000, 1), batch_size=64, shuffle=True)
    val_loader = DataLoader(Policies(1500, 2), batch_size=500)
    model = ClaimNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    for epoch in range(15):
        train_loss, train_acc = run_epoch(model, train_loader, criterion, optimizer)
        val_loss, val_acc = run_epoch(model, val_loader, criterion)
        print(f"{epoch + 1:2d} | train {train_loss:.3f} {train_acc:.3f} | val {val_loss:.3f} {val_acc:.3f}")
    print(f"metric: {val_acc:.4f}")
