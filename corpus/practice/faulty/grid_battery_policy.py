"""When to charge and discharge a home battery on a day-ahead price, by policy gradient with a baseline.

cause: wrong-loss-sign
family: rl
metric: earnings per day, higher
repair:
    - policy_loss = (log_probs * advantage.detach()).mean()
    + policy_loss = -(log_probs * advantage.detach()).mean()
"""

import torch
from torch import nn
from torch.distributions import Categorical

HOURS, CAPACITY = 24, 4
ACTIONS = torch.tensor([-1.0, 0.0, 1.0])  # sell, wait, buy


class Market:
    """Many days side by side; the price has a morning and an evening peak."""

    def __init__(self, days):
        self.days = days
        hours = torch.arange(HOURS)
        shape = 1 + 0.5 * torch.exp(-((hours - 8) ** 2) / 6) + 0.8 * torch.exp(-((hours - 19) ** 2) / 8)
        shape = shape - 0.5 * torch.exp(-((hours - 3) ** 2) / 10) - 0.4 * torch.exp(-((hours - 14) ** 2) / 5)
        level = 0.8 + 0.4 * torch.rand(days, 1)
        self.price = level * shape + 0.1 * torch.randn(days, HOURS)
        self.charge = torch.zeros(days)
        self.hour = 0

    def observe(self):
        angle = torch.tensor(2 * torch.pi * self.hour / HOURS)
        clock = torch.stack([angle.sin(), angle.cos()]).expand(self.days, 2)
        own = torch.stack([self.charge / CAPACITY - 0.5, self.price[:, self.hour] - 1], dim=1)
        return torch.cat([clock, own], dim=1)

    def step(self, action):
        wanted = ACTIONS[action]
        after = (self.charge + wanted).clamp(0, CAPACITY)
        moved = after - self.charge
        reward = -moved * self.price[:, self.hour] - 0.02 * moved.abs()
        self.charge = after
        self.hour += 1
        return reward


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor = nn.Linear(64, 3)
        self.critic = nn.Linear(64, 1)

    def forward(self, obs):
        h = self.body(obs)
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


def play(model, days, greedy=False):
    market = Market(days)
    log_probs, values, rewards, entropies = [], [], [], []
    for _ in range(HOURS):
        dist, value = model(market.observe())
        action = dist.probs.argmax(-1) if greedy else dist.sample()
        rewards.append(market.step(action))
        log_probs.append(dist.log_prob(action))
        entropies.append(dist.entropy())
        values.append(value)
    return (torch.stack(x) for x in (log_probs, values, rewards, entropies))


def returns_to_go(rewards):
    return rewards.flip(0).cumsum(0).flip(0)


def main():
    torch.manual_seed(8)
    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for update in range(1, 301):
        log_probs, values, rewards, entropies = play(model, days=48)
        returns = returns_to_go(rewards)
        advantage = returns - values
        policy_loss = (log_probs * advantage.detach()).mean()
        value_loss = advantage.pow(2).mean()
        loss = policy_loss + 0.5 * value_loss - 0.01 * entropies.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        if update % 50 == 0:
            print(f"update {update}: mean day {rewards.sum(0).mean():.3f}, value loss {value_loss:.3f}")
    with torch.no_grad():
        _, _, rewards, _ = play(model, days=500, greedy=True)
    print(f"metric: {rewards.sum(0).mean().item():.4f}")


if __name__ == "__main__":
    main()
