"""A denoising autoencoder: digits with a third of their pixels blacked out are completed.

family: autoencoder
metric: mean squared error on held-out digits, lower
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

rng = np.random.RandomState(1)
torch.manual_seed(1)

pixels = load_digits().data.astype("float32") / 16.0
train, test = train_test_split(pixels, test_size=400, random_state=1)
train, test = torch.from_numpy(train), torch.from_numpy(test)


def spoil(batch, generator=None):
    keep = torch.rand(batch.shape, generator=generator) > 0.35
    noise = 0.1 * torch.randn(batch.shape, generator=generator)
    return (batch + noise) * keep


model = nn.Sequential()
model.add_module("in", nn.Linear(64, 256))
model.add_module("act1", nn.GELU())
model.add_module("mid", nn.Linear(256, 128))
model.add_module("act2", nn.GELU())
model.add_module("back", nn.Linear(128, 256))
model.add_module("act3", nn.GELU())
model.add_module("out", nn.Linear(256, 64))

criterion = nn.MSELoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.02)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=55)


def test_error():
    model.eval()
    fixed = torch.Generator().manual_seed(99)
    with torch.no_grad():
        spoiled = spoil(test, fixed)
        errors = criterion(model(spoiled), test).item(), criterion(spoiled, test).item()
    model.train()
    return errors


print("left as it is: {1:.5f}, at the start: {0:.5f}".format(*test_error()))
for epoch in range(55):
    perm = rng.permutation(len(train))
    losses = []
    for start in range(0, len(perm), 64):
        clean = train[perm[start : start + 64]]
        loss = criterion(model(spoil(clean)), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} train {np.mean(losses):.5f} test {test_error()[0]:.5f}")

print("metric:", test_error()[0])
