"""A flyer in a winding tunnel learns when to flap: REINFORCE with returns standardised per batch.

family: rl
metric: mean steps survived of 100 in evaluation, higher
"""

import torch
from torch import nn
from torch.distributions import Bernoulli

torch.manual_seed(63)
LIMIT = 100


def fly(policy, flyers, greedy=False):
    """All flyers at once; a crashed one is masked out. Returns log-probabilities, mask and lifetimes."""
    y, v = torch.zeros(flyers), torch.zeros(flyers)
    phase, speed = torch.rand(flyers) * 6.28, 0.1 + 0.05 * torch.rand(flyers)
    alive = torch.ones(flyers)
    logs, masks = [], []
    for t in range(LIMIT):
        centre = 0.6 * torch.sin(phase + speed * t)
        ahead = 0.6 * torch.sin(phase + speed * (t + 4))
        if t == 0:
            y = centre.clone()
        obs = torch.stack([y - centre, y - ahead, v * 4], 1)
        dist = Bernoulli(logits=policy(obs).squeeze(1))
        flap = (dist.logits > 0).float() if greedy else dist.sample()
        logs.append(dist.log_prob(flap))
        masks.append(alive)
        v = 0.9 * v - 0.05 + 0.12 * flap + 0.01 * torch.randn(flyers)
        y = y + v
        centre = 0.6 * torch.sin(phase + speed * (t + 1))
        alive = alive * ((y - centre).abs() < 0.45).float()
        if alive.sum() == 0:
            break
    logs, masks = torch.stack(logs), torch.stack(masks)
    return logs, masks, masks.sum(0)


policy = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
history = []
for iteration in range(220):
    logs, masks, life = fly(policy, 16)
    # reward 1 for each step still in the air, discounted
    gains = torch.zeros_like(masks)
    running = torch.zeros(masks.shape[1])
    for t in reversed(range(len(masks))):
        running = masks[t] * (1.0 + 0.95 * running)
        gains[t] = running
    on = masks.bool()
    gains = (gains - gains[on].mean()) / (gains[on].std() + 1e-6)
    loss = -(logs * gains * masks).sum() / masks.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(life.mean().item())
    if (iteration + 1) % 20 == 0:
        recent = sum(history[-20:]) / 20
        print(f"iteration {iteration + 1}: loss {loss.item():+.4f}, survived {recent:.1f}")

with torch.no_grad():
    _, _, life = fly(policy, 500, greedy=True)
print(f"metric: {life.mean().item():.4f}")
