"""When to take another card at blackjack, learned from the wins and losses of whole tables of hands.

family: rl
metric: mean winnings per hand, higher
"""

import torch
import torch.nn as nn

torch.manual_seed(2)
CARDS = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10])


def deal(n):
    return CARDS[torch.randint(0, 13, (n,))]


class Hands:
    """Sums with aces as one, and whether there is an ace that may count eleven."""

    def __init__(self, first, second=None):
        self.low = first.clone()
        self.ace = first == 1
        if second is not None:
            self.take(second, torch.ones_like(self.ace))

    def take(self, card, who):
        self.low = self.low + card * who
        self.ace = self.ace | ((card == 1) & who)

    @property
    def soft(self):
        return self.ace & (self.low <= 11)

    @property
    def total(self):
        return self.low + 10 * self.soft


def features(hands, dealer):
    total = nn.functional.one_hot(hands.total.clamp(4, 21) - 4, 18).float()
    shown = nn.functional.one_hot(dealer - 1, 10).float()
    return torch.cat([total, shown, hands.soft[:, None].float(), (hands.total[:, None] - 14) / 4.0], 1)


def play(decide, n):
    """The winnings, and for each round the log probabilities of what was decided and who decided."""
    player, shown = Hands(deal(n), deal(n)), deal(n)
    dealer = Hands(shown)
    live, logs = torch.ones(n, dtype=torch.bool), []
    for _ in range(7):
        logits = decide(features(player, shown))
        law = torch.distributions.Bernoulli(logits=logits)
        hit = law.sample().bool()
        logs.append((law.log_prob(hit.float()), live.clone(), law.entropy()))
        live = live & hit
        player.take(deal(n), live)
        live = live & (player.total < 21)
    bust = player.total > 21
    for _ in range(12):
        dealer.take(deal(n), dealer.total < 17)
    beaten = (dealer.total > 21) | (player.total > dealer.total)
    winnings = torch.where(
        bust, -1.0, torch.where(beaten, 1.0, torch.where(player.total == dealer.total, 0.0, -1.0))
    )
    return winnings, logs


policy = nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
average = 0.0
for update in range(350):
    winnings, logs = play(policy, 1024)
    advantage = (winnings - winnings.mean()) / winnings.std()
    loss = 0.0
    for logp, who, entropy in logs:
        loss = loss - ((logp * advantage + 0.01 * entropy) * who).sum() / 1024
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    average = winnings.mean().item() if update == 0 else 0.95 * average + 0.05 * winnings.mean().item()
    if update % 50 == 0:
        print(f"table {update:3d}  loss {loss.item():+.4f}  winnings {average:+.3f}")

with torch.no_grad():
    certain = play(lambda x: 50 * policy(x), 200000)[0].mean().item()
print("metric:", certain)
