"""Handwritten digits rebuilt from a hundred and fifty sigmoid units, few of them on at a time (Ng 2011).

family: autoencoder
metric: explained_variance, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

UNITS, RATE = 150, 0.06


class SparseCode(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(64, UNITS)
        self.decode = nn.Linear(UNITS, 64)
        nn.init.xavier_normal_(self.encode.weight, gain=2.0)
        nn.init.xavier_normal_(self.decode.weight)
        nn.init.constant_(self.encode.bias, -2.0)

    def forward(self, x):
        code = torch.sigmoid(self.encode(x))
        return self.decode(code), code


def sparsity(code):
    """Divergence of each unit's mean activity from the wanted rate, and the absolute activity."""
    mean = code.mean(0).clamp(1e-4, 1 - 1e-4)
    kl = RATE * torch.log(RATE / mean) + (1 - RATE) * torch.log((1 - RATE) / (1 - mean))
    return kl.mean() + 0.1 * code.abs().mean()


def explained(model, x):
    with torch.no_grad():
        rebuilt, code = model(x)
    return (1 - (x - rebuilt).square().sum() / (x - x.mean(0)).square().sum()).item(), code


if __name__ == "__main__":
    torch.manual_seed(44)
    x = torch.tensor(load_digits().data, dtype=torch.float32) / 16 - 0.3
    train, test = random_split(TensorDataset(x), [1400, 397])
    x_test = x[test.indices]
    model = SparseCode()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    for epoch in range(45):
        for (batch,) in DataLoader(train, batch_size=100, shuffle=True):
            rebuilt, code = model(batch)
            loss = F.mse_loss(rebuilt, batch) + 0.02 * sparsity(code)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 5 == 4:
            r2, code = explained(model, x_test)
            on = (code > 0.5).float().mean().item()
            print(f"epoch {epoch + 1} loss {loss.item():.5f} explained {r2:.4f} on {on:.3f}")
    print(f"metric: {explained(model, x_test)[0]:.4f}")
