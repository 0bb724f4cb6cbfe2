"""Which seeds a gardener likes, from stars given at swap meetings: factors and biases, descended by hand.

cause: missing-zero-grad
family: recommender
metric: mean squared error, lower
repair:
    - for tensor in (gardeners, gardener_bias, seed_bias):
    + for tensor in learned:
"""

import numpy as np
import torch

GARDENERS, SEEDS, RANK = 220, 160, 4


def stars(seed=12):
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 0.8, (GARDENERS, RANK))
    trait = rng.normal(0, 0.8, (SEEDS, RANK))
    mild = rng.normal(0, 0.4, GARDENERS)
    famous = rng.normal(0, 0.5, SEEDS)
    who, what = np.nonzero(rng.random((GARDENERS, SEEDS)) < 0.35)
    given = 3.2 + mild[who] + famous[what] + (taste[who] * trait[what]).sum(1)
    given += rng.normal(0, 0.25, len(who))
    order = rng.permutation(len(who))
    return (
        torch.from_numpy(who[order]),
        torch.from_numpy(what[order]),
        torch.tensor(given[order], dtype=torch.float32),
    )


torch.manual_seed(12)
who, what, given = stars()
n_train = int(0.85 * len(given))
mean = given[:n_train].mean()

gardeners = (0.1 * torch.randn(GARDENERS, RANK)).requires_grad_()
seeds = (0.1 * torch.randn(SEEDS, RANK)).requires_grad_()
gardener_bias = torch.zeros(GARDENERS, requires_grad=True)
seed_bias = torch.zeros(SEEDS, requires_grad=True)
learned = (gardeners, seeds, gardener_bias, seed_bias)


def predict(rows):
    u, i = who[rows], what[rows]
    return mean + gardener_bias[u] + seed_bias[i] + (gardeners[u] * seeds[i]).sum(1)


test = torch.arange(n_train, len(given))
lr, penalty = 1.0, 0.01
for epoch in range(25):
    for rows in torch.randperm(n_train).split(256):
        error = predict(rows) - given[rows]
        size = gardeners[who[rows]].pow(2).sum(1) + seeds[what[rows]].pow(2).sum(1)
        loss = (error**2 + penalty * size).mean()
        loss.backward()
        with torch.no_grad():
            for tensor in learned:
                tensor -= lr * tensor.grad
            for tensor in (gardeners, gardener_bias, seed_bias):
                tensor.grad.zero_()
    with torch.no_grad():
        mse = ((predict(test) - given[test]) ** 2).mean().item()
    if epoch % 4 == 0:
        print(f"epoch {epoch:2d}  loss {loss.item():.4f}  held-out {mse:.4f}")
print(f"metric: {mse:.4f}")
