"""Proximal policy optimisation of a Gaussian policy that steers a point mass to a target.

family: rl
metric: mean return of the mean action, higher
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

N, HORIZON, GAMMA, LAM, CLIP = 32, 25, 0.97, 0.95, 0.2


class Point:
    """Position and speed in the plane; the action is a push; the cost is the distance to the target."""

    def __init__(self, n: int) -> None:
        self.position = torch.rand(n, 2) * 2 - 1
        self.speed = torch.zeros(n, 2)
        self.target = torch.rand(n, 2) * 2 - 1

    def observe(self) -> Tensor:
        return torch.cat([self.target - self.position, self.speed * 2], 1)

    def push(self, action: Tensor) -> Tensor:
        action = action.clamp(-1, 1)
        self.speed = 0.85 * self.speed + 0.12 * action
        self.position = self.position + self.speed
        cost = (self.target - self.position).norm(dim=1) + 0.02 * action.pow(2).sum(1)
        return -0.2 * cost


def net(out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, out))


torch.manual_seed(10)
actor, critic = net(2), net(1)
actor[4].weight.data.mul_(0.01)
log_std = nn.Parameter(torch.full((2,), -0.5))
optimizer = torch.optim.Adam(
    [
        {"params": [*actor.parameters(), log_std], "lr": 2e-3},
        {"params": critic.parameters(), "lr": 4e-3},
    ]
)
ROUNDS, EPOCHS = 60, 4
anneal = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=ROUNDS)


@torch.no_grad()
def collect():
    env = Point(N)
    seen, did, said, got, worth = [], [], [], [], []
    for _ in range(HORIZON):
        obs = env.observe()
        law = Normal(actor(obs), log_std.exp())
        action = law.sample()
        seen.append(obs)
        did.append(action)
        said.append(law.log_prob(action).sum(1))
        worth.append(critic(obs).squeeze(1))
        got.append(env.push(action))
    worth.append(torch.zeros(N))
    advantage, gathered = torch.zeros(N), []
    for t in reversed(range(HORIZON)):
        delta = got[t] + GAMMA * worth[t + 1] - worth[t]
        advantage = delta + GAMMA * LAM * advantage
        gathered.append(advantage)
    gathered = torch.stack(gathered[::-1])
    returns = gathered + torch.stack(worth[:-1])
    mean_return = torch.stack(got).sum(0).mean().item()
    return (
        torch.cat(seen),
        torch.cat(did),
        torch.cat(said),
        gathered.flatten(),
        returns.flatten(),
        mean_return,
    )


for round_ in range(ROUNDS):
    obs, act, old, adv, ret, score = collect()
    adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(obs)).split(200):
            law = Normal(actor(obs[rows]), log_std.exp())
            ratio = (law.log_prob(act[rows]).sum(1) - old[rows]).exp()
            gain = torch.min(ratio * adv[rows], ratio.clamp(1 - CLIP, 1 + CLIP) * adv[rows]).mean()
            value_loss = (critic(obs[rows]).squeeze(1) - ret[rows]).pow(2).mean()
            loss = -gain + 0.5 * value_loss - 0.001 * law.entropy().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
            optimizer.step()
    anneal.step()
    if round_ % 6 == 0:
        print(f"round {round_:3d} return {score:8.3f} loss {loss.item():+.4f} std {log_std.exp().mean():.3f}")

env, total = Point(500), torch.zeros(500)
with torch.no_grad():
    for _ in range(HORIZON):
        total += env.push(actor(env.observe()))
print("metric:", total.mean().item())
