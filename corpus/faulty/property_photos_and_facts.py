"""The time until a house sells, from a ground plan picture and a list of facts together.

cause: inputs-ignored
family: cnn
metric: mean squared error, lower
repair:
    - both = torch.cat([views[0], views[0]], dim=1)
    + both = torch.cat([views[0], views[1]], dim=1)
"""

import torch
from torch import nn

PLAN = 16
FACTS = 10


def houses(count, generator):
    plans = torch.zeros(count, 1, PLAN, PLAN)
    rooms = torch.randint(2, 7, (count,), generator=generator)
    for i in range(count):
        for _ in range(int(rooms[i])):
            top, left = torch.randint(0, PLAN - 5, (2,), generator=generator).tolist()
            height, width = torch.randint(3, 6, (2,), generator=generator).tolist()
            plans[i, 0, top : top + height, left : left + width] = 1.0
    facts = torch.randn(count, FACTS, generator=generator)
    covered = plans.mean((1, 2, 3))
    days = 3.0 * covered + 0.5 * facts[:, 0] - 0.4 * facts[:, 1] * facts[:, 2] + 0.3 * facts[:, 3].abs()
    days = days + 0.15 * torch.randn(count, generator=generator)
    plans = plans + 0.1 * torch.randn(plans.shape, generator=generator)
    return plans - 0.4, facts, days.unsqueeze(1)


class TwoBranches(nn.Module):
    """A convolutional branch for the plan, a dense one for the facts, and a head on both."""

    def __init__(self, width=32):
        super().__init__()
        self.plan_branch = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 16, width),
            nn.ReLU(),
        )
        self.fact_branch = nn.Sequential(nn.Linear(FACTS, 64), nn.ReLU(), nn.Linear(64, width), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, plan, facts):
        views = self.plan_branch(plan), self.fact_branch(facts)
        both = torch.cat([views[0], views[0]], dim=1)
        return self.head(both)


def main():
    torch.manual_seed(9)
    generator = torch.Generator().manual_seed(9)
    plans, facts, days = houses(3000, generator)
    mean, std = days[:2400].mean(), days[:2400].std()
    days = (days - mean) / std
    valid = slice(2400, None)
    net = TwoBranches()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(18):
        net.train()
        total = 0.0
        for rows in torch.randperm(2400).split(60):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(plans[rows], facts[rows]), days[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / 2400
        net.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(net(plans[valid], facts[valid]), days[valid]).item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: train {total:.4f}, validation {error:.4f}")
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
