"""An actor and a critic learn to catch falling fruit with a basket, thirty-two games side by side.

family: rl
metric: share of fruit caught, higher
"""

import torch
from torch import nn
from torch.distributions import Categorical

WIDTH, HEIGHT, GAMES = 7, 8, 32


class Fruit:
    def __init__(self, games):
        self.games = games
        self.fruit = torch.stack([torch.randint(WIDTH, (games,)), torch.zeros(games, dtype=torch.long)], 1)
        self.drift = torch.randint(-1, 2, (games,))
        self.basket = torch.full((games,), WIDTH // 2)

    def look(self):
        away = torch.nn.functional.one_hot(self.fruit[:, 0] - self.basket + WIDTH - 1, 2 * WIDTH - 1)
        basket = torch.nn.functional.one_hot(self.basket, WIDTH)
        rest = torch.stack([self.fruit[:, 1] / HEIGHT, self.drift.float()], 1)
        return torch.cat([away.float(), basket.float(), rest], 1)

    def step(self, action):
        self.basket = (self.basket + action - 1).clamp(0, WIDTH - 1)
        move = self.drift * (torch.rand(self.games) < 0.4)
        self.fruit[:, 0] = (self.fruit[:, 0] + move).clamp(0, WIDTH - 1)
        self.fruit[:, 1] += 1
        landed = self.fruit[:, 1] == HEIGHT - 1
        caught = landed & (self.fruit[:, 0] == self.basket)
        reward = caught.float() - (landed & ~caught).float()
        self.fruit[landed, 0] = torch.randint(WIDTH, (int(landed.sum()),))
        self.fruit[landed, 1] = 0
        self.drift = torch.where(landed, torch.randint(-1, 2, (self.games,)), self.drift)
        return reward, landed


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3 * WIDTH + 1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor, self.critic = nn.Linear(64, 3), nn.Linear(64, 1)
        nn.init.normal_(self.actor.weight, std=0.01)
        nn.init.zeros_(self.actor.bias)

    def forward(self, x):
        h = self.body(x)
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(1)


@torch.no_grad()
def play(net, games=100):
    env, caught, landed = Fruit(games), 0.0, 0
    for _ in range(28):
        reward, done = env.step(net(env.look())[0].probs.argmax(1))
        caught += (reward > 0).sum().item()
        landed += done.sum().item()
    return caught / landed


if __name__ == "__main__":
    torch.manual_seed(66)
    net = ActorCritic()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    env = Fruit(GAMES)
    for update in range(450):
        log_probs, values, rewards, ends, entropies = [], [], [], [], []
        for _ in range(8):
            policy, value = net(env.look())
            action = policy.sample()
            reward, done = env.step(action)
            log_probs.append(policy.log_prob(action))
            entropies.append(policy.entropy())
            values.append(value)
            rewards.append(reward)
            ends.append(done)
        with torch.no_grad():
            future = net(env.look())[1]
        returns = []
        for reward, done in zip(reversed(rewards), reversed(ends), strict=True):
            future = reward + 0.95 * future * ~done
            returns.insert(0, future)
        returns, values = torch.cat(returns), torch.cat(values)
        advantage = (returns - values).detach()
        actor_loss = -(torch.cat(log_probs) * advantage).mean()
        critic_loss = (returns - values).square().mean()
        loss = actor_loss + 0.5 * critic_loss - 0.01 * torch.cat(entropies).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        if update % 75 == 74:
            print(f"update {update + 1}: loss {loss.item():+.3f}, caught {play(net):.3f}")
    print(f"metric: {play(net, 300):.4f}")
