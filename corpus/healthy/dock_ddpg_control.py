"""A ferry brought to its berth by a deterministic policy gradient with a critic, targets and replay (DDPG).

family: rl
metric: mean return, higher
"""

import copy

import torch
from torch import nn

torch.manual_seed(0)
DT, HORIZON, GAMMA, TAU = 0.2, 40, 0.95, 0.01


def new_boats(n):
    return torch.stack([4 * torch.rand(n) - 2, 2 * torch.rand(n) - 1], 1)


def sail(state, thrust):
    x, v = state.unbind(1)
    v = v + DT * (1.5 * thrust - 0.3 * v) + 0.01 * torch.randn_like(v)
    x = x + DT * v
    wall = x.abs() > 3
    x, v = x.clamp(-3, 3), torch.where(wall, 0.0, v)
    reward = -(x**2 + 0.1 * v**2 + 0.05 * thrust**2) * DT
    return torch.stack([x, v], 1), reward


def mlp(inputs, *last):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), *last
    )


actor, critic = mlp(2, nn.Tanh()), mlp(3)
nn.init.uniform_(actor[4].weight, -3e-3, 3e-3)
nn.init.uniform_(critic[4].weight, -3e-3, 3e-3)
actor_target, critic_target = copy.deepcopy(actor), copy.deepcopy(critic)
for p in [*actor_target.parameters(), *critic_target.parameters()]:
    p.requires_grad_(False)
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=5e-4)
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)


def value(net, state, action):
    return net(torch.cat([state, action[:, None]], 1)).squeeze(1)


def evaluate(policy, n=300):
    state, total = new_boats(n), torch.zeros(n)
    with torch.no_grad():
        for _ in range(HORIZON):
            state, reward = sail(state, policy(state))
            total += reward
    return total.mean().item()


SIZE = 20000
memory = torch.zeros(SIZE, 6)
filled = place = 0
boats, clock = new_boats(16), 0
fade = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.02, 1500) for o in (actor_optimizer, critic_optimizer)]
for step in range(1600):
    with torch.no_grad():
        noise = 0.3 * torch.randn(16)
        thrust = (actor(boats).squeeze(1) + noise).clamp(-1, 1) if step > 60 else torch.rand(16) * 2 - 1
    after, reward = sail(boats, thrust)
    memory[place : place + 16] = torch.cat([boats, thrust[:, None], reward[:, None], after], 1)
    place, filled = (place + 16) % SIZE, min(filled + 16, SIZE)
    clock += 1
    boats = after if clock % HORIZON else new_boats(16)
    if step < 60:
        continue

    s, a, r, s2 = memory[torch.randint(0, filled, (128,))].split([2, 1, 1, 2], 1)
    with torch.no_grad():
        goal = r.squeeze(1) + GAMMA * value(critic_target, s2, actor_target(s2).squeeze(1))
    critic_loss = nn.functional.mse_loss(value(critic, s, a.squeeze(1)), goal)
    critic_optimizer.zero_grad()
    critic_loss.backward()
    critic_optimizer.step()

    actor_loss = -value(critic, s, actor(s).squeeze(1)).mean()
    actor_optimizer.zero_grad()
    actor_loss.backward()
    actor_optimizer.step()

    for schedule in fade:
        schedule.step()
    with torch.no_grad():
        for net, slow in ((actor, actor_target), (critic, critic_target)):
            for p, q in zip(net.parameters(), slow.parameters(), strict=True):
                q.lerp_(p, TAU)
    if step % 200 == 0:
        result = evaluate(lambda s: actor(s).squeeze(1))
        print(
            f"step {step:4d} critic {critic_loss.item():.4f} actor {actor_loss.item():.3f} gain {result:.3f}"
        )

print("drifting:", evaluate(lambda s: torch.zeros(len(s))))
print("a good linear rule:", evaluate(lambda s: (-2.5 * s[:, 0] - 2.2 * s[:, 1]).clamp(-1, 1)))
print("metric:", evaluate(lambda s: actor(s).squeeze(1)))
