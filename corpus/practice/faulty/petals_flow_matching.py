"""Flow matching: a velocity field that carries a Gaussian onto five petals.

cause: learning-rate-decayed-to-zero
family: flow
metric: astray, lower
repair:
    - total_steps = args["epochs"]
    + total_steps = args["epochs"] * (len(points) // args["batch"])
"""

import math

import torch
from torch import nn

args = {"epochs": 48, "batch": 128, "lr": 4e-3, "width": 96, "points": 4096}


def petals(n, generator, count=5):
    """Five slender petals round an empty middle."""
    petal = torch.randint(0, count, (n,), generator=generator)
    along = 2.0 + 0.25 * torch.randn(n, generator=generator)
    across = 0.1 * torch.randn(n, generator=generator)
    turn = 2 * math.pi * petal / count
    return torch.stack(
        [along * turn.cos() - across * turn.sin(), along * turn.sin() + across * turn.cos()], dim=1
    )


class Velocity(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("frequencies", torch.tensor([1.0, 2.0, 4.0]) * math.pi)
        self.net = nn.Sequential(
            nn.Linear(2 + 6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)
        )

    def forward(self, x, t):
        phase = t * self.frequencies
        return self.net(torch.cat([x, phase.sin(), phase.cos()], dim=1))


@torch.no_grad()
def generate(model, n, generator, steps=40):
    x = torch.randn(n, 2, generator=generator)
    for k in range(steps):
        t = torch.full((n, 1), (k + 0.5) / steps)
        x = x + model(x, t) / steps
    return x


def astray(samples, data):
    """The share of samples with no point of the data near."""
    return (torch.cdist(samples, data).amin(dim=1) > 0.1).float().mean().item()


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    points = petals(args["points"], generator)
    fresh = petals(3000, generator)
    model = Velocity(args["width"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=args["lr"], weight_decay=1e-4)
    total_steps = args["epochs"]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total_steps))
    for epoch in range(args["epochs"]):
        running = 0.0
        order = torch.randperm(len(points), generator=generator)
        for batch in order.split(args["batch"]):
            target = points[batch]
            noise = torch.randn(len(target), 2, generator=generator)
            t = torch.rand(len(target), 1, generator=generator)
            x = (1 - t) * noise + t * target
            loss = (model(x, t) - (target - noise)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item() * len(target)
        if (epoch + 1) % 8 == 0:
            lost = astray(generate(model, 1500, generator), fresh)
            print(f"epoch {epoch + 1}: loss {running / len(points):.4f}, astray {lost:.4f}")
    print(f"metric: {astray(generate(model, 1500, generator), fresh):.5f}")
