"""A thermostat learns when to heat, an actor and a critic on sixteen rooms side by side.

family: rl
metric: mean return, higher
"""

import torch
from torch import nn

ROOMS, STEPS, GAMMA = 16, 24, 0.95


class Rooms:
    """Off, low, high; warmth leaks out, heating costs, and leaving the wanted band costs more."""

    def __init__(self, count):
        self.count = count
        self.reset()

    def reset(self):
        self.warmth = 16 + 8 * torch.rand(self.count)
        self.outside = 10 * torch.rand(self.count) - 2
        self.wanted = 19 + 3 * torch.rand(self.count)
        return self.view()

    def view(self):
        return torch.stack([(self.warmth - 20) / 4, (self.outside - 3) / 5, (self.wanted - 20) / 2], 1)

    def step(self, action):
        leak = 0.06 * (self.warmth - self.outside)
        self.warmth = self.warmth + action.float() - leak + 0.15 * torch.randn(self.count)
        self.outside = (self.outside + 0.3 * torch.randn(self.count)).clamp(-5, 12)
        cost = (self.warmth - self.wanted).abs().clamp(max=4) / 2 + 0.05 * action
        return self.view(), 0.5 - cost


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3)
        )
        self.critic = nn.Sequential(
            nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )

    def forward(self, state):
        return torch.distributions.Categorical(logits=self.actor(state)), self.critic(state).squeeze(-1)


def rollout(net, env, state):
    log_probs, values, rewards, entropy = [], [], [], 0.0
    for _ in range(STEPS):
        policy, value = net(state)
        action = policy.sample()
        state, reward = env.step(action)
        log_probs.append(policy.log_prob(action))
        values.append(value)
        rewards.append(reward)
        entropy = entropy + policy.entropy().mean() / STEPS
    return state, torch.stack(log_probs), torch.stack(values), torch.stack(rewards), entropy


def main():
    torch.manual_seed(48)
    env, net = Rooms(ROOMS), ActorCritic()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    state = env.reset()
    updates = 450
    for update in range(1, updates + 1):
        if update % 3 == 0:
            state = env.reset()
        state, log_probs, values, rewards, entropy = rollout(net, env, state)
        with torch.no_grad():
            ahead = net(state)[1]
        goals = torch.empty_like(rewards)
        for t in reversed(range(STEPS)):
            ahead = rewards[t] + GAMMA * ahead
            goals[t] = ahead
        advantage = (goals - values).detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        loss = -(advantage * log_probs).mean() + 0.5 * (goals - values).square().mean() - 0.01 * entropy
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        if update % 50 == 0:
            print(f"update {update}: reward {rewards.mean():.4f}, entropy {entropy.item():.3f}")
    trial = Rooms(400)
    state, total = trial.reset(), 0.0
    with torch.no_grad():
        for _ in range(50):
            state, reward = trial.step(net.actor(state).argmax(1))
            total += reward.mean().item()
    print(f"metric: {total / 50:.4f}")


if __name__ == "__main__":
    main()
