"""Which smoothie the kiosk offers first: a neural contextual bandit, epsilon-greedy, trained as it goes.

family: rl
metric: share of the best possible sales in the last third of the customers, higher
"""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(40)
torch.manual_seed(40)
ARMS, CONTEXT, CUSTOMERS = 6, 10, 24000
W = rng.normal(0, 0.6, (ARMS, CONTEXT))
V = rng.normal(0, 0.8, (ARMS, CONTEXT))


def context():
    x = rng.normal(0, 1, CONTEXT)
    x[0] = np.sin(2 * np.pi * rng.random())  # time of day
    x[1] = float(rng.random() < 0.3)  # came by bike
    return x


def chance(x):
    score = W @ x + np.maximum(V @ x, 0) - 2.2
    return 0.6 / (1 + np.exp(-score))


class ArmNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(CONTEXT, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.arms = nn.Linear(32, ARMS)

    def forward(self, x):
        return self.arms(self.trunk(x))


model = ArmNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9985)
seen_x = torch.zeros(CUSTOMERS, CONTEXT)
seen_arm = torch.zeros(CUSTOMERS, dtype=torch.long)
seen_sold = torch.zeros(CUSTOMERS)
got, possible, window = 0.0, 0.0, []

for n in range(CUSTOMERS):
    x = context()
    p = chance(x)
    seen_x[n] = torch.from_numpy(x)
    epsilon = max(0.03, 1 - n / 4000)
    if rng.random() < epsilon:
        arm = int(rng.integers(ARMS))
    else:
        with torch.no_grad():
            arm = int(model(seen_x[n]).argmax())
    sold = float(rng.random() < p[arm])
    seen_arm[n], seen_sold[n] = arm, sold
    if n >= CUSTOMERS * 2 // 3:
        got, possible = got + p[arm], possible + p.max()
    if n >= 500 and n % 16 == 0:
        idx = torch.randint(0, n + 1, (128,))
        logit = model(seen_x[idx]).gather(1, seen_arm[idx, None]).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, seen_sold[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        window.append(loss.item())
    if n % 4000 == 3999:
        sales = seen_sold[n - 3999 : n + 1].mean()
        print(f"customer {n + 1}: loss {np.mean(window[-200:]):.4f}, sales {sales:.3f}")

print(f"metric: {got / possible:.4f}")
