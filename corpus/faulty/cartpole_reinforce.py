"""REINFORCE with a learned baseline on a hand-written cart-pole.

cause: wrong-loss-sign
family: rl
metric: episode_length, higher
repair:
    - policy_loss = (log_probs * advantage.detach()).mean()
    + policy_loss = -(log_probs * advantage.detach()).mean()
"""

import math

import torch
from torch import nn
from torch.distributions import Categorical

N_ENVS = 16
LIMIT = 120
GAMMA = 0.97


class CartPoles:
    """Many cart-poles side by side."""

    def __init__(self, n):
        self.state = torch.empty(n, 4).uniform_(-0.05, 0.05)

    def step(self, action):
        x, v, angle, spin = self.state.unbind(1)
        force = 10.0 * (2.0 * action - 1.0)
        temp = (force + 0.05 * spin**2 * angle.sin()) / 1.1
        spin_acc = (9.8 * angle.sin() - angle.cos() * temp) / (0.5 * (4 / 3 - 0.1 * angle.cos() ** 2 / 1.1))
        acc = temp - 0.05 * spin_acc * angle.cos() / 1.1
        self.state = torch.stack(
            [x + 0.02 * v, v + 0.02 * acc, angle + 0.02 * spin, spin + 0.02 * spin_acc], dim=1
        )
        return (self.state[:, 0].abs() < 2.4) & (self.state[:, 2].abs() < 12 * math.pi / 180)


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 48), nn.Tanh())
        self.actor = nn.Linear(48, 2)
        self.critic = nn.Linear(48, 1)

    def forward(self, state):
        h = self.body(state * torch.tensor([1.0, 1.0, 5.0, 1.0]))
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


def rollout(agent):
    envs = CartPoles(N_ENVS)
    alive = torch.ones(N_ENVS, dtype=torch.bool)
    states, actions, masks = [], [], []
    for _ in range(LIMIT):
        with torch.no_grad():
            dist, _ = agent(envs.state)
        action = dist.sample()
        states.append(envs.state)
        actions.append(action)
        masks.append(alive)
        alive = alive & envs.step(action.float())
        if not alive.any():
            break
    return torch.stack(states), torch.stack(actions), torch.stack(masks)


def returns(masks):
    out = torch.zeros(masks.shape)
    running = torch.zeros(masks.shape[1])
    for t in reversed(range(len(masks))):
        running = masks[t] * (1.0 + GAMMA * running)
        out[t] = running
    return out


torch.manual_seed(0)
agent = ActorCritic()
optimizer = torch.optim.Adam(agent.parameters(), lr=5e-3)
lengths = []
for update in range(150):
    states, actions, masks = rollout(agent)
    lengths.append(masks.sum(0).float().mean().item())
    dist, value = agent(states[masks])
    goal = returns(masks)[masks] / 10
    log_probs = dist.log_prob(actions[masks])
    advantage = goal - value
    policy_loss = (log_probs * advantage.detach()).mean()
    value_loss = advantage.square().mean()
    loss = policy_loss + 0.5 * value_loss - 0.005 * dist.entropy().mean()

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 25 == 24:
        print(f"update {update + 1}: episode length {sum(lengths[-25:]) / 25:.1f}")

print(f"metric: {sum(lengths[-10:]) / 10:.2f}")
