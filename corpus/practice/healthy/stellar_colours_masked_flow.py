"""Density of star colours by a masked autoregressive flow, to flag odd objects in a survey.

family: normalising flow
metric: mean log-density of held-out stars in nats, higher
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader


def stars(n, rng):
    """u-g, g-r, r-i, i-z: a main sequence, white dwarfs and giants."""
    kind = rng.choice(3, n, p=[0.8, 0.12, 0.08])
    temp = rng.beta(2, 1.6, n)
    gr = np.where(kind == 0, 0.2 + 1.2 * temp, np.where(kind == 1, -0.3 + 0.4 * temp, 0.8 + 0.5 * temp))
    ug = np.where(kind == 1, 0.1 + 0.9 * gr, 0.7 + 1.3 * np.tanh(1.5 * gr)) + 0.05 * rng.standard_normal(n)
    ri = np.where(gr > 1.25, 0.5 + 1.5 * rng.random(n) ** 2, 0.35 * gr + 0.02) + 0.03 * rng.standard_normal(n)
    iz = 0.55 * ri + 0.02 + 0.03 * rng.standard_normal(n)
    gr = gr + 0.03 * rng.standard_normal(n) + 0.1 * (kind == 2)
    return np.stack([ug, gr, ri, iz], 1)


class MaskedLinear(nn.Linear):
    def __init__(self, in_features, out_features, mask):
        super().__init__(in_features, out_features)
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        m_in = torch.arange(1, dim + 1)
        m_h = torch.arange(hidden) % (dim - 1) + 1
        m_out = torch.arange(1, dim + 1).repeat(2)
        self.l1 = MaskedLinear(dim, hidden, (m_h[:, None] >= m_in).float())
        self.l2 = MaskedLinear(hidden, hidden, (m_h[:, None] >= m_h).float())
        self.l3 = MaskedLinear(hidden, 2 * dim, (m_out[:, None] > m_h).float())

    def forward(self, x):
        h = torch.relu(self.l2(torch.relu(self.l1(x))))
        mu, log_scale = self.l3(h).chunk(2, 1)
        log_scale = 3 * torch.tanh(log_scale / 3)
        return (x - mu) * torch.exp(-log_scale), -log_scale.sum(1)


class MAF(nn.Module):
    def __init__(self, dim, hidden=64, depth=5):
        super().__init__()
        self.flows = nn.ModuleList(MADE(dim, hidden) for _ in range(depth))

    def log_prob(self, x):
        total = 0.0
        for flow in self.flows:
            x, logdet = flow(x)
            total = total + logdet
            x = x.flip(1)
        return total - 0.5 * x.pow(2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)


def main():
    rng = np.random.default_rng(2)
    torch.manual_seed(2)
    data = stars(13000, rng)
    mean, std = data[:10000].mean(0), data[:10000].std(0)
    z = torch.tensor((data - mean) / std, dtype=torch.float32)
    train, val, test = z[:10000], z[10000:11000], z[11000:]
    model = MAF(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-6)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.3, patience=1)
    best, best_state = -math.inf, None
    for epoch in range(12):
        model.train()
        running = 0.0
        for x in DataLoader(train, batch_size=100, shuffle=True):
            loss = -model.log_prob(x).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            running += loss.item() / 100
        model.eval()
        with torch.no_grad():
            held = model.log_prob(val).mean().item()
        scheduler.step(held)
        if held > best:
            best, best_state = held, {k: v.clone() for k, v in model.state_dict().items()}
        print(f"epoch {epoch} nll {running:.4f} val log p {held:.4f} lr {scheduler.get_last_lr()[0]:.0e}")
    model.load_state_dict(best_state)
    with torch.no_grad():
        score = model.log_prob(test).mean().item() - float(np.log(std).sum())
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
