"""An autoencoder of handwritten digits with a code of eight numbers, on standardised pixels.

cause: not-finite
family: autoencoder
metric: reconstruction_error, lower
repair:
    - return (x - mean) / std
    + return (x - mean) / std.clamp(min=0.1)
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


def standardise(x, mean, std):
    return (x - mean) / std


class Autoencoder(nn.Module):
    def __init__(self, n_in=64, code=8):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(n_in, 48), nn.GELU(), nn.Linear(48, code))
        self.decode = nn.Sequential(nn.Linear(code, 48), nn.GELU(), nn.Linear(48, n_in))

    def forward(self, x):
        return self.decode(self.encode(x))


def run(seed=0, epochs=15):
    torch.manual_seed(seed)
    pixels = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    train, test = pixels[:1400], pixels[1400:]
    mean, std = train.mean(0), train.std(0)
    train, test = standardise(train, mean, std), standardise(test, mean, std)

    model = Autoencoder()
    optimizer = torch.optim.RAdam(model.parameters(), lr=3e-3)
    loss_fn = nn.MSELoss()
    for epoch in range(1, epochs + 1):
        epoch_loss = 0.0
        for batch in DataLoader(train, batch_size=40, shuffle=True):
            loss = loss_fn(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(batch)
        if epoch % 3 == 0:
            print(f"{epoch:3d}/{epochs}: {epoch_loss / len(train):.4f}")
    with torch.no_grad():
        return loss_fn(model(test), test).item()


print(f"metric: {run():.5f}")
