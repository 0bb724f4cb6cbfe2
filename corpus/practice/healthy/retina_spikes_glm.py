"""Spikes of twelve retinal cells from flicker and their own history: a Poisson GLM with smooth filters.

family: linear
metric: bits per spike over a constant rate on held-out time, higher
"""

import math

import numpy as np
import torch
from torch import nn

CELLS, PIXELS, LAGS, HISTORY = 12, 20, 15, 8


def simulate(bins, seed):
    rng = np.random.default_rng(seed)
    stimulus = rng.choice([-1.0, 1.0], size=(bins, PIXELS))
    lag = np.arange(LAGS)
    # biphasic in time, a bump in space
    temporal = np.exp(-((lag - 4) ** 2) / 4) - 0.6 * np.exp(-((lag - 8) ** 2) / 8)
    centres = np.linspace(2, PIXELS - 3, CELLS)
    spatial = np.exp(-((np.arange(PIXELS)[None] - centres[:, None]) ** 2) / 3)
    drive = stimulus @ spatial.T
    drive = np.stack([np.convolve(drive[:, c], temporal)[:bins] for c in range(CELLS)], 1)
    sign = np.where(np.arange(CELLS) % 2, 1, -1)
    refractory = -3.0 * np.exp(-np.arange(HISTORY) / 2)
    spikes = np.zeros((bins, CELLS))
    for t in range(HISTORY, bins):
        past = refractory @ spikes[t - HISTORY : t][::-1]
        rate = np.exp(np.minimum(0.5 * sign * drive[t] - 3.0 + past, 1.5))
        spikes[t] = rng.poisson(rate)
    return torch.tensor(stimulus).float(), torch.tensor(spikes).float()


class GLM(nn.Module):
    def __init__(self, mean_rate):
        super().__init__()
        self.stimulus = nn.Conv1d(PIXELS, CELLS, LAGS, bias=False)
        self.history = nn.Conv1d(CELLS, CELLS, HISTORY, groups=CELLS, bias=False)
        self.base = nn.Parameter(mean_rate.log())
        nn.init.zeros_(self.stimulus.weight)
        nn.init.zeros_(self.history.weight)

    def forward(self, stimulus, spikes):
        """Log rates for the bins from LAGS on."""
        s = self.stimulus(stimulus.transpose(1, 2))[:, :, 1:]
        h = self.history(spikes.transpose(1, 2)[:, :, LAGS - HISTORY : -1])
        return (s + h + self.base[:, None]).transpose(1, 2)

    def roughness(self):
        return self.stimulus.weight.diff(dim=2).pow(2).sum() + self.stimulus.weight.diff(dim=1).pow(2).sum()


def poisson_nll(log_rate, spikes):
    return (log_rate.exp() - spikes * log_rate).mean()


def main():
    torch.manual_seed(6)
    stimulus, spikes = simulate(16000, 6)
    cut = 13000
    train_spikes = spikes[:cut]
    print("spikes per bin", train_spikes.mean(0).numpy().round(3))
    model = GLM(train_spikes.mean(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 900)
    window = 200
    for step in range(900):
        at = torch.randint(0, cut - window, (8, 1)) + torch.arange(window)
        s, n = stimulus[at], spikes[at]
        loss = poisson_nll(model(s, n), n[:, LAGS:]) + 8e-4 * model.roughness()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 150 == 149:
            with torch.no_grad():
                held = poisson_nll(model(stimulus[None, cut:], spikes[None, cut:])[0], spikes[cut + LAGS :])
            print(f"step {step + 1} loss {loss.item():.4f} held out {held.item():.4f}")
    truth = spikes[cut + LAGS :]
    with torch.no_grad():
        held = poisson_nll(model(stimulus[None, cut:], spikes[None, cut:])[0], truth)
        flat = poisson_nll(train_spikes.mean(0).log().expand_as(truth), truth)
    bits = (flat - held) / math.log(2) / truth.mean()
    print(f"metric: {bits.item():.4f}")


if __name__ == "__main__":
    main()
