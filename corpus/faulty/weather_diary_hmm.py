"""A hidden Markov model of a weather diary, fitted by gradient descent on longer and longer pieces.

cause: not-finite
family: hmm
metric: nats_per_day, lower
repair:
    - alpha = F.softmax(self.start, 0) * emit[:, days[:, 0]].T
    + alpha = F.softmax(self.start, 0) * emit[:, days[:, 0]].T
    + log_p = torch.zeros(len(days))
    - alpha = (alpha @ move) * emit[:, days[:, t]].T
    + log_p = log_p + alpha.sum(1).log()
    + alpha = alpha / alpha.sum(1, keepdim=True)
    + alpha = (alpha @ move) * emit[:, days[:, t]].T
    - return alpha.sum(1).log()
    + return log_p + alpha.sum(1).log()
"""

import torch
import torch.nn.functional as F

SKY = ["clear", "haze", "cloud", "rain", "storm", "snow", "fog"]
SEASONS = 4


class HMM(torch.nn.Module):
    def __init__(self, states, symbols):
        super().__init__()
        self.start = torch.nn.Parameter(torch.zeros(states))
        self.move = torch.nn.Parameter(2 * torch.eye(states) + 0.3 * torch.randn(states, states))
        self.emit = torch.nn.Parameter(0.5 * torch.randn(states, symbols))

    def log_likelihood(self, days):
        """The logarithm of the probability of each row of days, by the forward algorithm."""
        move, emit = F.softmax(self.move, 1), F.softmax(self.emit, 1)
        alpha = F.softmax(self.start, 0) * emit[:, days[:, 0]].T
        for t in range(1, days.shape[1]):
            alpha = (alpha @ move) * emit[:, days[:, t]].T
        return alpha.sum(1).log()


def diary(n):
    """A diary of n days: seasons follow one another, and each has its weather."""
    habits = torch.tensor(
        [
            [0.55, 0.20, 0.10, 0.05, 0.08, 0.01, 0.01],
            [0.05, 0.05, 0.25, 0.40, 0.10, 0.01, 0.14],
            [0.10, 0.01, 0.20, 0.04, 0.02, 0.60, 0.03],
            [0.25, 0.10, 0.35, 0.20, 0.02, 0.03, 0.05],
        ]
    )
    season, days = 0, []
    for _ in range(n):
        if torch.rand(()) < 0.06:
            season = (season + 1) % SEASONS
        days.append(int(torch.multinomial(habits[season], 1)))
    return torch.tensor(days)


def pieces(days, length, n):
    at = torch.randint(len(days) - length, (n, 1))
    return days[at + torch.arange(length)]


def main():
    torch.manual_seed(50)
    days = diary(6000)
    train, test = days[:5000], days[5000:]
    model = HMM(SEASONS, len(SKY))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for epoch in range(12):
        length = 8 + 8 * epoch
        for _ in range(30):
            loss = -model.log_likelihood(pieces(train, length, 24)).mean() / length
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"pieces of {length} days: {loss.item():.4f} nats a day")
    with torch.no_grad():
        held_out = -model.log_likelihood(test[:1000].view(25, 40)).mean() / 40
    print(f"metric: {held_out.item():.4f}")


if __name__ == "__main__":
    main()
