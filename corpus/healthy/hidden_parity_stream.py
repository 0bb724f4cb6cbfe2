"""Three of thirty coins decide by their parity; examples are made as they are needed, none comes twice.

family: mlp
metric: accuracy, higher
"""

import torch
from torch import nn

torch.manual_seed(4)
COINS, SECRET = 30, (3, 11, 26)


def examples(n):
    while True:
        coins = torch.randint(0, 2, (n, COINS)).float() * 2 - 1
        yield coins, coins[:, SECRET].prod(1)


net = nn.Sequential(nn.Linear(COINS, 200), nn.ReLU(), nn.Linear(200, 1), nn.Flatten(0))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=1e-3)
test_coins, test_parity = next(examples(2000))

for step, (coins, parity) in enumerate(examples(64)):
    if step == 3200:
        break
    hinge = (1 - net(coins) * parity).clamp_min(0).mean()
    optimizer.zero_grad()
    hinge.backward()
    optimizer.step()
    if step % 500 == 0:
        with torch.no_grad():
            right = (net(test_coins).sign() == test_parity).float().mean()
        print(f"{step:5d}  hinge {hinge.item():.3f}  right {right.item():.3f}")

with torch.no_grad():
    print("metric:", (net(test_coins).sign() == test_parity).float().mean().item())
