"""Time to relapse of nine hundred patients, a third of them censored: Cox's partial likelihood, all at once.

family: mlp
metric: concordance, higher
"""

import torch
from torch import nn

torch.manual_seed(10)
n = 1500
age, dose, marker = torch.randn(n), torch.randn(n), torch.randn(n)
other = torch.randn(n, 5)
risk = 1.1 * age.clamp_min(0) + 0.9 * (dose**2 - 1) / 1.4 + 0.7 * marker
time = -torch.log(torch.rand(n)) * torch.exp(-risk)
censoring = -torch.log(torch.rand(n)) * 2.5
event = time <= censoring
seen = torch.minimum(time, censoring)
X = torch.cat([torch.stack([age, dose, marker], 1), other], 1)
train, test = slice(0, 900), slice(900, n)


def concordance(score, seen, event):
    pairs = event[:, None] & (seen[:, None] < seen[None, :])
    return ((score[:, None] > score[None, :]) & pairs).sum().item() / pairs.sum().item()


def partial_likelihood(score, seen, event):
    order = seen.argsort(descending=True)
    score, event = score[order], event[order]
    return -(score - torch.logcumsumexp(score, 0))[event].sum()


model = nn.Sequential(nn.Linear(8, 24), nn.SELU(), nn.AlphaDropout(0.2), nn.Linear(24, 1, bias=False))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-2)
for step in range(500):
    model.train()
    optimizer.zero_grad()
    loss = partial_likelihood(model(X[train]).squeeze(1), seen[train], event[train])
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        model.eval()
        with torch.no_grad():
            c = concordance(model(X[test]).squeeze(1), seen[test], event[test])
        print(f"{step:4d}  loss {loss.item():.1f}  concordance {c:.4f}")

model.eval()
with torch.no_grad():
    print("of the true risk:", concordance(risk[test], seen[test], event[test]))
    print("metric:", concordance(model(X[test]).squeeze(1), seen[test], event[test]))
