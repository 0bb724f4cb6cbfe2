"""A network fitted to one machine's friction, then moved to another machine by low-rank adapters.

family: mlp
metric: R2 on the second machine, higher
"""

import torch
from torch import nn


class LowRank(nn.Module):
    """A linear layer that stays, plus a product of two thin matrices that learns."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float = 8.0):
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.a.t()) @ self.b.t()


def friction(x, machine):
    speed, load, heat, age = x.t()
    if machine == 0:
        out = torch.tanh(3 * speed) * (1 + 0.4 * load) - 0.3 * heat * speed + 0.2 * age**2
    else:
        out = (
            torch.tanh(2.2 * speed + 0.3) * (1.2 + 0.6 * load)
            - 0.5 * heat * speed
            + 0.25 * age**2
            + 0.1 * heat
        )
    return out.unsqueeze(1)


def measurements(n, machine):
    x = torch.rand(n, 4) * 2 - 1
    return x, friction(x, machine) + 0.03 * torch.randn(n, 1)


def fit(model, x, y, lr, steps, batch):
    learn = [p for p in model.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in learn)} of {sum(p.numel() for p in model.parameters())} numbers learn")
    optimizer = torch.optim.AdamW(learn, lr=lr, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        rows = torch.randint(0, len(x), (batch,))
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 150 == 0:
            print(f"  {step:4d} {loss.item():.5f}")


@torch.no_grad()
def r2(model, x, y):
    return 1 - ((model(x) - y) ** 2).mean().item() / y.var().item()


def main():
    torch.manual_seed(31)
    base = nn.Sequential(nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    fit(base, *measurements(4000, 0), lr=5e-3, steps=900, batch=128)
    test = measurements(1000, 1)
    print("first machine:", r2(base, *measurements(1000, 0)), "second, as it is:", r2(base, *test))

    adapted = nn.Sequential(LowRank(base[0], 2), base[1], LowRank(base[2], 2), base[3], LowRank(base[4], 1))
    fit(adapted, *measurements(400, 1), lr=5e-3, steps=900, batch=64)
    print("metric:", r2(adapted, *test))


if __name__ == "__main__":
    main()
