"""Is a field short of boron? From a soil's spectrum, with few fields sampled; weights in a dict, no modules.

cause: training-in-eval-mode
family: mlp
metric: held-out log loss, lower
repair:
    - return F.binary_cross_entropy_with_logits(logit(params, spectrum), short)
    + return F.binary_cross_entropy_with_logits(logit(params, spectrum, training=True), short)
"""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

BANDS = 80


def fields(n, seed):
    rng = np.random.default_rng(seed)
    band = np.linspace(0, 1, BANDS)
    peaks = np.exp(-(((band - np.array([[0.15], [0.3], [0.52], [0.7], [0.85]])) / 0.05) ** 2))
    matter = rng.normal(size=(n, 5))
    spectra = matter @ peaks + 0.7 * rng.normal(size=(n, BANDS)) + 0.5 * rng.normal(size=(n, 1)) * band
    score = 1.6 * matter[:, 0] - 1.2 * matter[:, 2] + 0.9 * matter[:, 3] * matter[:, 4]
    short = rng.random(n) < 1 / (1 + np.exp(-score))
    return torch.tensor(spectra, dtype=torch.float32), torch.tensor(short, dtype=torch.float32)


def init_params(sizes, g):
    params = {}
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        params[f"w{k}"] = torch.randn(fan_in, fan_out, generator=g) * (2 / fan_in) ** 0.5
        params[f"b{k}"] = torch.zeros(fan_out)
    return {name: p.requires_grad_() for name, p in params.items()}


def logit(params, x, training=False):
    """The network, as a function of its weights."""
    depth = len(params) // 2
    x = F.dropout(x, 0.2, training=training)
    for k in range(depth - 1):
        x = F.relu(x @ params[f"w{k}"] + params[f"b{k}"])
        x = F.dropout(x, 0.5, training=training)
    return (x @ params[f"w{depth - 1}"] + params[f"b{depth - 1}"]).squeeze(-1)


def objective(params, spectrum, short):
    return F.binary_cross_entropy_with_logits(logit(params, spectrum), short)


def sgd(params, velocity, grads, lr, momentum=0.9, decay=1e-4):
    with torch.no_grad():
        for (name, p), grad in zip(params.items(), grads, strict=True):
            velocity[name].mul_(momentum).add_(grad + decay * p)
            p.sub_(lr * velocity[name])


torch.manual_seed(27)
g = torch.Generator().manual_seed(27)
spectra, short = fields(500, 27)
spectra_test, short_test = fields(1000, 28)
params = init_params([BANDS, 128, 128, 1], g)
velocity = {name: torch.zeros_like(p) for name, p in params.items()}
for epoch in range(60):
    lr = 0.02 * (1 - epoch / 60)
    for rows in torch.randperm(len(spectra), generator=g).split(25):
        loss = objective(params, spectra[rows], short[rows])
        sgd(params, velocity, torch.autograd.grad(loss, list(params.values())), lr)
    if epoch % 10 == 9:
        with torch.no_grad():
            test = F.binary_cross_entropy_with_logits(logit(params, spectra_test), short_test).item()
        print(f"{epoch + 1:3d} training {loss.item():.4f} test {test:.4f}")
print(f"metric: {test:.5f}")
