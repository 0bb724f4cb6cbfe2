"""A policy for a contextual bandit, improved by its own logged clicks.

family: rl
metric: expected click rate relative to the best policy, higher
"""

import torch
from torch import nn

torch.manual_seed(21)
ADS, FEATURES = 5, 8

taste = torch.randn(FEATURES, ADS) * 0.9


def click_chance(context):
    return torch.sigmoid(context @ taste - 0.5)


policy = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, ADS))
nn.init.zeros_(policy[2].weight)
nn.init.zeros_(policy[2].bias)
optimizer = torch.optim.SGD(policy.parameters(), lr=0.3, momentum=0.8)

average = 0.4
for day in range(1000):
    context = torch.randn(128, FEATURES)
    log_p = policy(context).log_softmax(1)
    choice = torch.multinomial(log_p.exp(), 1)
    click = torch.bernoulli(click_chance(context).gather(1, choice)).squeeze(1)
    entropy = -(log_p.exp() * log_p).sum(1)
    loss = (-(click - average) * log_p.gather(1, choice).squeeze(1) - 0.005 * entropy).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    average = 0.98 * average + 0.02 * click.mean().item()
    if day % 100 == 99:
        print(f"day {day + 1}: loss {loss.item():+.4f} clicks {average:.3f}")

with torch.no_grad():
    context = torch.randn(4000, FEATURES)
    chance = click_chance(context)
    got = (policy(context).softmax(1) * chance).sum(1).mean()
    best, blind = chance.max(1).values.mean(), chance.mean()
print(f"by chance {blind / best:.3f}")
print(f"metric: {(got / best).item():.4f}")
