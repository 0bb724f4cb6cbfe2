"""Hammer prices at yearling auctions from sire, breeder, sale and a few numbers, with entity embeddings.

family: embedding
metric: r2 of the logarithm, higher
"""

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import OneCycleLR

torch.manual_seed(1776)
rng = np.random.default_rng(1776)

# ---------------------------------------------------------------- data
N_SIRES, N_BREEDERS, N_SALES = 180, 300, 8
n = 6000
popularity = 1 / np.arange(1, N_SIRES + 1) ** 0.8
sire = rng.choice(N_SIRES, n, p=popularity / popularity.sum())
size = 1 / np.arange(1, N_BREEDERS + 1) ** 0.7
breeder = rng.choice(N_BREEDERS, n, p=size / size.sum())
sale = rng.integers(0, N_SALES, n)
month = rng.integers(1, 6, n)
filly = rng.integers(0, 2, n)
dam_wins = rng.poisson(1.4, n)
height = rng.normal(146, 4, n)
sire_effect = rng.normal(0, 0.7, N_SIRES) - 0.3 * np.log(np.arange(1, N_SIRES + 1) / 30)
breeder_effect = rng.normal(0, 0.35, N_BREEDERS)
log_price = 9.8 + sire_effect[sire] + breeder_effect[breeder] + rng.normal(0, 0.5, N_SALES)[sale]
log_price += 0.22 * np.sqrt(dam_wins) * (1 + 0.3 * sire_effect[sire]) - 0.06 * month - 0.12 * filly
log_price += 0.03 * (height - 146) - 0.003 * (height - 146) ** 2 + rng.normal(0, 0.45, n)

cats = torch.tensor(np.stack([sire, breeder, sale], 1))
nums = torch.tensor(np.stack([month, filly, dam_wins, height], 1), dtype=torch.float32)
nums = (nums - nums[:5000].mean(0)) / nums[:5000].std(0)
y = torch.tensor(log_price, dtype=torch.float32)
mu, sigma = y[:5000].mean(), y[:5000].std()
y = (y - mu) / sigma


# ---------------------------------------------------------------- model
class TabularModel(nn.Module):
    def __init__(self, cardinalities, n_cont, layers=(96, 48), emb_p=0.05, p=0.1):
        super().__init__()
        sizes = [(c, min(24, (c + 1) // 4)) for c in cardinalities]
        self.embeds = nn.ModuleList(nn.Embedding(c, s) for c, s in sizes)
        for e in self.embeds:
            nn.init.trunc_normal_(e.weight, std=0.05)
        self.emb_drop = nn.Dropout(emb_p)
        self.bn_cont = nn.BatchNorm1d(n_cont)
        width = sum(s for _, s in sizes) + n_cont
        blocks = []
        for out in layers:
            blocks += [
                nn.Linear(width, out, bias=False),
                nn.ReLU(inplace=True),
                nn.BatchNorm1d(out),
                nn.Dropout(p),
            ]
            width = out
        self.layers = nn.Sequential(*blocks, nn.Linear(width, 1))

    def forward(self, x_cat, x_cont):
        x = self.emb_drop(torch.cat([e(x_cat[:, i]) for i, e in enumerate(self.embeds)], 1))
        return self.layers(torch.cat([x, self.bn_cont(x_cont)], 1)).squeeze(-1)


# ---------------------------------------------------------------- fit
model = TabularModel([N_SIRES, N_BREEDERS, N_SALES], nums.shape[1])
epochs, bs, max_lr = 8, 50, 6e-3
opt = torch.optim.AdamW(model.parameters(), lr=max_lr, weight_decay=0.02)
sched = OneCycleLR(opt, max_lr=max_lr, total_steps=epochs * (5000 // bs))
train_idx, valid_idx = torch.arange(5000), torch.arange(5000, n)

for epoch in range(epochs):
    model.train()
    losses = []
    for b in train_idx[torch.randperm(5000)].split(bs):
        loss = nn.functional.mse_loss(model(cats[b], nums[b]), y[b])
        loss.backward()
        opt.step()
        sched.step()
        opt.zero_grad()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        err = nn.functional.mse_loss(model(cats[valid_idx], nums[valid_idx]), y[valid_idx])
    print(f"{epoch}  {np.mean(losses):.4f}  {err.item():.4f}")

r2 = 1 - err / y[valid_idx].var(unbiased=False)
print(f"metric: {r2.item():.4f}")
