"""Passengers at four metro stations for the next six half hours: LSTM encoder and decoder.

family: rnn
metric: R², higher
"""

import math
import random

import torch
from torch import nn

STATIONS, PAST, FUTURE = 4, 24, 6


def flows(days, g):
    t = torch.arange(days * 36) % 36 / 36
    day = torch.arange(days * 36) // 36
    weekday = (day % 7 < 5).float()
    peaks = []
    for s in range(STATIONS):
        morning = torch.exp(-(((t - 0.15 - 0.01 * s) / 0.05) ** 2))
        evening = torch.exp(-(((t - 0.65 + 0.02 * s) / 0.07) ** 2))
        peaks.append(
            weekday * ((1.5 - 0.3 * s) * morning + (0.6 + 0.3 * s) * evening) + 0.4 * torch.sin(math.pi * t)
        )
    flow = torch.stack(peaks, 1)
    busy = 1 + 0.2 * torch.randn(days, 1, generator=g)
    flow = flow * busy[day]
    noise, wobble = torch.randn(flow.shape, generator=g), torch.zeros(STATIONS)
    for i in range(len(flow)):
        wobble = 0.7 * wobble + 0.06 * noise[i]
        flow[i] += wobble
    flow = (flow - flow.mean(0)) / flow.std(0)
    clock = torch.stack([torch.sin(2 * math.pi * t), torch.cos(2 * math.pi * t), weekday], 1)
    return flow, clock


class Forecaster(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.encoder = nn.LSTM(STATIONS + 3, hidden, batch_first=True)
        self.decoder = nn.LSTMCell(STATIONS + 3, hidden)
        self.out = nn.Linear(hidden, STATIONS)

    def forward(self, past, clock, target=None, teacher=0.0):
        _, (h, c) = self.encoder(past)
        h, c, last = h[0], c[0], past[:, -1, :STATIONS]
        steps = []
        for k in range(FUTURE):
            h, c = self.decoder(torch.cat([last, clock[:, k]], 1), (h, c))
            guess = last + self.out(h)
            steps.append(guess)
            last = target[:, k] if target is not None and random.random() < teacher else guess
        return torch.stack(steps, 1)


def batch(flow, clock, starts):
    past = torch.stack([torch.cat([flow[s : s + PAST], clock[s : s + PAST]], 1) for s in starts])
    ahead = torch.stack([clock[s + PAST : s + PAST + FUTURE] for s in starts])
    target = torch.stack([flow[s + PAST : s + PAST + FUTURE] for s in starts])
    return past, ahead, target


def main():
    torch.manual_seed(21)
    random.seed(21)
    g = torch.Generator().manual_seed(21)
    flow, clock = flows(100, g)
    cut = 80 * 36
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 150, 0.5)
    test = batch(flow, clock, range(cut, len(flow) - PAST - FUTURE, 3))
    for step in range(450):
        starts = torch.randint(0, cut - PAST - FUTURE, (32,)).tolist()
        past, ahead, target = batch(flow, clock, starts)
        loss = nn.functional.mse_loss(model(past, ahead, target, teacher=max(0.0, 0.5 - step / 400)), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 75 == 74:
            with torch.no_grad():
                r2 = 1 - (model(*test[:2]) - test[2]).var().item() / test[2].var().item()
            print(f"step {step + 1}: loss {loss.item():.4f}, test R² {r2:.4f}")
    print(f"metric: {r2:.4f}")


if __name__ == "__main__":
    main()
