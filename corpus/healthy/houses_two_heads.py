"""Houses: the price of all of them, and the kind of heating where it is known, by two heads on one trunk.

family: mlp
metric: mean_score, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

rng = np.random.default_rng(40)
torch.manual_seed(40)


def survey(count):
    area = rng.lognormal(4.6, 0.35, count)
    age = rng.gamma(2.0, 18.0, count)
    rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.7, count)), 1, None)
    centre = rng.exponential(6.0, count)
    insulation = np.clip(1.2 - age / 80 + rng.normal(0, 0.2, count), 0, 1.5)
    price = np.exp(
        0.9 * np.log(area) - 0.04 * centre - 0.004 * age + 0.2 * insulation + rng.normal(0, 0.08, count)
    )
    leaning = np.stack([age / 30 - 1.2, 1.3 - insulation + centre / 12 - 0.6, 2 * insulation - 1], 1)
    heating = (leaning + 0.3 * rng.gumbel(size=leaning.shape)).argmax(1)
    x = np.stack([np.log(area), age, rooms, centre, insulation], 1)
    return x, np.log(price), heating


x, price, heating = survey(5000)
x = (x - x[:4000].mean(0)) / x[:4000].std(0)
price = (price - price[:4000].mean()) / price[:4000].std()
x, price = torch.tensor(x, dtype=torch.float32), torch.tensor(price, dtype=torch.float32)
heating = torch.tensor(heating)
# The heating was asked for in one district of three.
district = torch.arange(5000) // 40
asked = district % 3 == 0

trunk = nn.Sequential(nn.Linear(5, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU())
price_head = nn.Linear(48, 1)
heating_head = nn.Linear(48, 3)
parameters = [*trunk.parameters(), *price_head.parameters(), *heating_head.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)

for epoch in range(14):
    price_losses, heating_losses = [], []
    for d in torch.randperm(100):
        pick = (district == d).nonzero().squeeze(1)
        hidden = trunk(x[pick])
        loss = F.mse_loss(price_head(hidden).squeeze(1), price[pick])
        price_losses.append(loss.item())
        if asked[pick[0]]:
            extra = F.cross_entropy(heating_head(hidden), heating[pick])
            heating_losses.append(extra.item())
            loss = loss + 0.5 * extra
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch:2d} price {np.mean(price_losses):.4f} heating {np.mean(heating_losses):.4f}")

with torch.no_grad():
    hidden = trunk(x[4000:])
    r2 = 1 - F.mse_loss(price_head(hidden).squeeze(1), price[4000:]) / price[4000:].var()
    accuracy = (heating_head(hidden).argmax(1) == heating[4000:]).float().mean()
print(f"r2 of the price {r2:.4f}, accuracy of the heating {accuracy:.4f}")
print(f"metric: {(r2 + accuracy).item() / 2:.4f}")
