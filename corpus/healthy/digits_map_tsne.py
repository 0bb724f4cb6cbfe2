"""Four hundred and fifty digits laid out in the plane by t-SNE: gradient descent on the places of the points.

family: embedding
metric: accuracy of the nearest neighbour in the plane, higher
"""

import numpy as np
import torch
from sklearn.datasets import load_digits

torch.manual_seed(7)
x, label = load_digits(return_X_y=True)
x, label = torch.tensor(x[:450]), torch.tensor(label[:450])
n = len(x)


def affinities(x, perplexity=25.0):
    """Symmetric neighbourhood probabilities, each point's width found by bisection."""
    d = torch.cdist(x, x).square()
    d.fill_diagonal_(float("inf"))
    low, high = torch.full((n, 1), 1e-6, dtype=x.dtype), torch.full((n, 1), 10.0, dtype=x.dtype)
    for _ in range(50):
        beta = (low * high).sqrt()
        p = torch.softmax(-beta * d, 1)
        entropy = -(p * (p + 1e-30).log()).sum(1, keepdim=True)
        wide = entropy > np.log(perplexity)
        low, high = torch.where(wide, beta, low), torch.where(wide, high, beta)
    return ((p + p.T) / (2 * n)).float()


P = affinities(x).clamp_min(1e-12)
places = torch.nn.Parameter(1e-4 * torch.randn(n, 2))
optimizer = torch.optim.SGD([places], lr=100.0, momentum=0.5)
off = ~torch.eye(n, dtype=torch.bool)


def divergence(exaggeration):
    near = 1 / (1 + torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist").square())
    Q = near / (near * off).sum()
    return (exaggeration * P * (P.log() - Q.clamp_min(1e-12).log()))[off].sum()


for step in range(330):
    if step == 120:
        optimizer.param_groups[0]["momentum"] = 0.8
    loss = divergence(8.0 if step < 120 else 1.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"{step:4d}  KL {loss.item():.3f}  spread {places.detach().std().item():.3f}")

with torch.no_grad():
    gaps = torch.cdist(places, places)
    gaps.fill_diagonal_(float("inf"))
print("metric:", (label[gaps.argmin(1)] == label).float().mean().item())
