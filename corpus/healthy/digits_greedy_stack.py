"""A stack of denoising autoencoders on digits, taught one layer at a time, then tuned as a classifier.

family: autoencoder
metric: accuracy, higher
"""

from itertools import pairwise

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(5)
data, target = load_digits(return_X_y=True)
order = torch.randperm(len(data))
data = (torch.tensor(data, dtype=torch.float32) / 8 - 0.6)[order]
target = torch.tensor(target)[order]
unlabelled, held_out = data[:1300], data[1300:]
sizes = [64, 100, 60, 30]

encoders = []
codes = unlabelled
for depth, (a, b) in enumerate(pairwise(sizes)):
    encoder = nn.Sequential(nn.Linear(a, b), nn.ELU())
    decoder = nn.Linear(b, a)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for _ in range(25):
        loss_sum = 0.0
        for rows in torch.randperm(len(codes)).split(65):
            clean = codes[rows]
            corrupt = clean * (torch.rand_like(clean) > 0.25)
            loss = F.mse_loss(decoder(encoder(corrupt)), clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
    print(f"layer {depth}: reconstruction {loss_sum / 20:.5f}, spread {codes.var(0).mean().item():.5f}")
    with torch.no_grad():
        codes = encoder(codes)
    encoders.append(encoder)

classifier = nn.Sequential(*encoders, nn.Linear(sizes[-1], 10))
x, y = unlabelled, target[:1300]
optimizer = torch.optim.Adam(
    [
        {"params": [p for e in encoders for p in e.parameters()], "lr": 2e-3},
        {"params": classifier[-1].parameters(), "lr": 5e-3},
    ]
)
for epoch in range(20):
    for rows in torch.randperm(1300).split(65):
        loss = F.cross_entropy(classifier(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            acc = (classifier(held_out).argmax(1) == target[1300:]).float().mean().item()
        print(f"tuning {epoch + 1}: loss {loss.item():.4f} acc {acc:.4f}")
print("metric:", acc)
