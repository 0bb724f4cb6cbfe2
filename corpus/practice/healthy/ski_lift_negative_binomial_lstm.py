"""Passengers a day of 60 ski lifts large and small: an LSTM with negative binomial output, scaled per lift.

family: rnn
metric: mean absolute error of the median on the next two weeks relative to last week's value, lower
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(66)
torch.manual_seed(66)
LIFTS, DAYS, CONTEXT, HORIZON = 60, 420, 28, 14

size = np.exp(rng.normal(4.5, 1.3, LIFTS))
weekend = rng.uniform(0.3, 1.0, LIFTS)
fall = rng.exponential(1, DAYS + 20) * (rng.random(DAYS + 20) < 0.25)
snow = np.convolve(fall, 0.85 ** np.arange(20))[20 : DAYS + 20]
snow = snow / snow.std()
dow = np.arange(DAYS) % 7
season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(DAYS) / 140)
log_rate = np.log(size)[:, None] + np.log(season) + weekend[:, None] * (dow >= 5) + 0.3 * (snow - snow.mean())
rate = np.exp(log_rate)
counts = rng.negative_binomial(6, 6 / (6 + rate)).astype(np.float32)

series = torch.from_numpy(counts)
scale = 1 + series[:, : DAYS - HORIZON].mean(1)
covariates = torch.tensor(
    np.stack([(dow >= 5), np.sin(2 * np.pi * dow / 7), np.cos(2 * np.pi * dow / 7), snow - snow.mean()], 1)
).float()


class CountLSTM(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.lift = nn.Embedding(LIFTS, 6)
        self.lstm = nn.LSTM(1 + 4 + 6, hidden, batch_first=True)
        self.mu, self.alpha = nn.Linear(hidden, 1), nn.Linear(hidden, 1)

    def forward(self, previous, cov, lift, scale, state=None):
        emb = self.lift(lift)[:, None].expand(-1, cov.shape[1], -1)
        h, state = self.lstm(torch.cat([torch.log1p(previous / scale)[..., None], cov, emb], 2), state)
        mu = F.softplus(self.mu(h)).squeeze(2) * scale + 1e-4
        return mu, F.softplus(self.alpha(h)).squeeze(2) + 1e-4, state


def nb_nll(y, mu, alpha):
    r = 1 / alpha
    return -(
        torch.lgamma(y + r) - torch.lgamma(r) - torch.lgamma(y + 1)
        + r * torch.log(r / (r + mu)) + y * torch.log(mu / (r + mu))
    )  # fmt: skip


def windows(batch, length):
    lift = torch.multinomial(scale.sqrt(), batch, replacement=True)
    start = torch.randint(1, DAYS - HORIZON - length, (batch,))
    t = start[:, None] + torch.arange(length)
    return series[lift[:, None], t - 1], covariates[t], lift, scale[lift, None], series[lift[:, None], t]


model = CountLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 200, 0.4)
recent = []
for it in range(600):
    previous, cov, lift, s, y = windows(48, CONTEXT)
    mu, alpha, _ = model(previous, cov, lift, s)
    loss = nb_nll(y, mu, alpha).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimizer.step()
    scheduler.step()
    recent.append(loss.item())
    if it % 100 == 99:
        print(f"iteration {it + 1}: nll {np.mean(recent[-100:]):.4f} (last {loss.item():.4f})")

with torch.no_grad():
    # sample 60 futures per lift
    begin = DAYS - HORIZON
    lift = torch.arange(LIFTS).repeat_interleave(60)
    s = scale[lift, None]
    t = torch.arange(begin - CONTEXT, begin)
    mu, alpha, state = model(series[lift][:, t - 1], covariates[t].expand(len(lift), -1, -1), lift, s)
    last, paths = series[lift, begin - 1][:, None], []
    for day in range(begin, DAYS):
        mu, alpha, state = model(last, covariates[day].expand(len(lift), 1, -1), lift, s, state)
        last = torch.poisson(torch.distributions.Gamma(1 / alpha, 1 / (alpha * mu)).sample())
        paths.append(last)
    median = torch.cat(paths, 1).view(LIFTS, 60, HORIZON).median(1).values
future = series[:, begin:]
naive = series[:, begin - 7 : begin].repeat(1, 2)


def error(guess):
    return ((guess - future).abs() / scale[:, None]).mean()


relative = error(median) / error(naive)
ideal = torch.tensor(rate[:, begin:]).float()
floor = error(ideal) / error(naive)
print(f"with the true rates {floor:.4f}")
print(f"metric: {relative.item():.4f}")
