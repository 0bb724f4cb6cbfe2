"""An LSTM watches heartbeats for the rare ones that come from elsewhere in the heart.

cause: class-imbalance
family: rnn
metric: f1, higher
repair:
    - loader = DataLoader(train, batch_size=50, shuffle=True)
    + share = train.kinds.float().mean()
    + weights = torch.where(train.kinds == 1, 0.2 / share, 1.0)
    + sampler = torch.utils.data.WeightedRandomSampler(weights, len(train))
    + loader = DataLoader(train, batch_size=50, sampler=sampler)
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

STEPS = 32


class Beats(Dataset):
    """One beat a row: a small wave, a sharp one, a broad one. In the rare kind the sharp one is broader."""

    def __init__(self, n, rare, generator):
        self.kinds = (torch.rand(n, generator=generator) < rare).long()
        t = torch.linspace(0, 1, STEPS).expand(n, STEPS)

        def bump(at, width, height):
            jitter = 0.02 * torch.randn(n, 1, generator=generator)
            size = height * (1 + 0.15 * torch.randn(n, 1, generator=generator))
            return size * torch.exp(-(((t - at - jitter) / width) ** 2))

        sharp = torch.where(self.kinds == 1, 0.075, 0.042)[:, None]
        wave = bump(0.2, 0.05, 0.25) + bump(0.45, sharp, 1.0) + bump(0.75, 0.09, 0.4)
        drift = 0.2 * torch.sin(2 * math.pi * (t + torch.rand(n, 1, generator=generator)))
        self.signal = wave + drift + 0.08 * torch.randn(n, STEPS, generator=generator)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.signal[i, :, None], self.kinds[i]


class BeatNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out.mean(dim=1))


def f1(model, beats):
    with torch.no_grad():
        guess = model(beats.signal[..., None]).argmax(1)
    hit = ((guess == 1) & (beats.kinds == 1)).sum().item()
    return 2 * hit / max((guess == 1).sum().item() + (beats.kinds == 1).sum().item(), 1)


if __name__ == "__main__":
    torch.manual_seed(15)
    generator = torch.Generator().manual_seed(15)
    train, test = Beats(2500, 0.03, generator), Beats(3000, 0.03, generator)
    loader = DataLoader(train, batch_size=50, shuffle=True)
    model = BeatNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(10):
        losses = []
        for signal, kind in loader:
            loss = nn.functional.cross_entropy(model(signal), kind)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, f1 {f1(model, test):.3f}")
    print(f"metric: {f1(model, test):.4f}")
