"""An autoencoder squeezes a rolled-up sheet in ten dimensions through two numbers.

cause: optimizer-recreated
family: autoencoder
metric: reconstruction_error, lower
repair:
    - sgd = torch.optim.SGD(params, lr=0.02, momentum=0.95, nesterov=True)
    - for (batch,) in loader:
    + for (batch,) in loader:
    - params = [*encoder.parameters(), *decoder.parameters()]
    + params = [*encoder.parameters(), *decoder.parameters()]
    + sgd = torch.optim.SGD(params, lr=0.02, momentum=0.95, nesterov=True)
    - train_one_epoch(encoder, decoder, loader, params)
    + train_one_epoch(encoder, decoder, loader, sgd)
    - def train_one_epoch(encoder, decoder, loader, params):
    + def train_one_epoch(encoder, decoder, loader, sgd):
"""

from itertools import pairwise

import torch
from sklearn.datasets import make_swiss_roll
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def layers(*sizes):
    parts = []
    for i, o in pairwise(sizes):
        parts += [nn.Linear(i, o), nn.Tanh()]
    return nn.Sequential(*parts[:-1])


def train_one_epoch(encoder, decoder, loader, params):
    sgd = torch.optim.SGD(params, lr=0.02, momentum=0.95, nesterov=True)
    for (batch,) in loader:
        loss = nn.functional.mse_loss(decoder(encoder(batch)), batch)
        sgd.zero_grad()
        loss.backward()
        sgd.step()


def error(encoder, decoder, x):
    with torch.no_grad():
        return nn.functional.mse_loss(decoder(encoder(x)), x).item()


def main():
    torch.manual_seed(14)
    points, _ = make_swiss_roll(1500, random_state=14)
    points = torch.tensor(points, dtype=torch.float32) / 8
    x = points @ torch.linalg.qr(torch.randn(10, 10)).Q[:3] * 1.5
    x = x + 0.01 * torch.randn_like(x)
    train, test = x[:1200], x[1200:]
    loader = DataLoader(TensorDataset(train), batch_size=400, shuffle=True)

    encoder, decoder = layers(10, 32, 32, 2), layers(2, 32, 32, 10)
    params = [*encoder.parameters(), *decoder.parameters()]
    for epoch in range(300):
        train_one_epoch(encoder, decoder, loader, params)
        if epoch % 50 == 49:
            print(f"epoch {epoch + 1:3d}  train {error(encoder, decoder, train):.5f}")
    print(f"metric: {error(encoder, decoder, test):.6f}")


if __name__ == "__main__":
    main()
