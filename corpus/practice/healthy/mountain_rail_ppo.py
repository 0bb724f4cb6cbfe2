"""A cart on a rail balances a pole, many carts at once; proximal policy optimisation with clipped ratios.

family: rl
metric: mean steps upright of 200, higher
"""

import torch
from torch import nn
from torch.distributions import Categorical

CARTS, HORIZON, LIMIT = 32, 64, 200


class CartPoles:
    """The usual equations, for a row of carts."""

    def __init__(self, n):
        self.s, self.t = torch.empty(n, 4), torch.zeros(n)
        self.reset(torch.ones(n, dtype=torch.bool))

    def reset(self, which):
        self.s[which] = torch.rand(int(which.sum()), 4) * 0.1 - 0.05
        self.t[which] = 0

    def step(self, action):
        x, v, a, w = self.s.unbind(1)
        force = (2 * action - 1) * 10.0
        sin, cos = a.sin(), a.cos()
        temp = (force + 0.05 * w**2 * sin) / 1.1
        acc = (9.8 * sin - cos * temp) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        push = temp - 0.05 * acc * cos / 1.1
        self.s = torch.stack([x + 0.02 * v, v + 0.02 * push, a + 0.02 * w, w + 0.02 * acc], 1)
        self.t += 1
        fallen = (self.s[:, 0].abs() > 2.4) | (self.s[:, 2].abs() > 0.209)
        return fallen, self.t >= LIMIT


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
        )
        self.critic = nn.Sequential(
            nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        nn.init.orthogonal_(self.actor[-1].weight, 0.01)

    def forward(self, s):
        return Categorical(logits=self.actor(s)), self.critic(s).squeeze(-1)


@torch.no_grad()
def rollout(env, agent):
    states, actions, logs, values, falls, ends = [], [], [], [], [], []
    for _ in range(HORIZON):
        pi, value = agent(env.s)
        action = pi.sample()
        states.append(env.s.clone())
        actions.append(action)
        logs.append(pi.log_prob(action))
        values.append(value)
        fallen, late = env.step(action.float())
        falls.append(fallen.float())
        ends.append((fallen | late).float())
        env.reset(fallen | late)
    values.append(agent(env.s)[1])
    advantage, out = torch.zeros(CARTS), []
    for t in reversed(range(HORIZON)):
        reward = 0.1 * (1 - falls[t])
        delta = reward + 0.98 * values[t + 1] * (1 - ends[t]) - values[t]
        advantage = delta + 0.98 * 0.95 * (1 - ends[t]) * advantage
        out.insert(0, advantage)
    advantages = torch.cat(out)
    return (
        torch.cat(states),
        torch.cat(actions),
        torch.cat(logs),
        advantages,
        advantages + torch.cat(values[:-1]),
    )


@torch.no_grad()
def judge(agent, n=40):
    env = CartPoles(n)
    alive = torch.ones(n, dtype=torch.bool)
    steps = torch.zeros(n)
    for _ in range(LIMIT):
        fallen, _ = env.step(agent(env.s)[0].probs.argmax(1).float())
        alive &= ~fallen
        steps += alive
    return steps.mean().item()


def main():
    torch.manual_seed(10)
    env, agent = CartPoles(CARTS), ActorCritic()
    optimizer = torch.optim.Adam(agent.parameters(), lr=1e-3, eps=1e-5)
    for iteration in range(30):
        states, actions, old, advantages, returns = rollout(env, agent)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        for _ in range(4):
            for rows in torch.randperm(len(states)).split(256):
                pi, value = agent(states[rows])
                ratio = (pi.log_prob(actions[rows]) - old[rows]).exp()
                clipped = ratio.clamp(0.8, 1.2)
                policy = -torch.min(ratio * advantages[rows], clipped * advantages[rows]).mean()
                loss = policy + 0.5 * (value - returns[rows]).square().mean() - 0.01 * pi.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        if iteration % 5 == 4:
            print(f"iteration {iteration + 1}: loss {loss.item():.4f} upright {judge(agent):.1f}")
    print(f"metric: {judge(agent):.2f}")


if __name__ == "__main__":
    main()
