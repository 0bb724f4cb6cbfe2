"""Temperature, rain or none, and gusts tomorrow from one trunk, the losses weighted by learned variances.

family: mlp
metric: mean skill, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def stations(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 18))
    mix = np.random.default_rng(1).normal(0, 0.35, (18, 6))
    front, damp, warm, wind, *_ = np.tanh(x @ mix).T
    temperature = 12 + 7 * warm - 3 * front * damp + rng.normal(0, 1.2, count)
    rain = (2.5 * damp + 1.5 * front - 1.2 + rng.logistic(0, 0.4, count)) > 0
    gust = rng.poisson(np.exp(1.5 + 0.9 * wind + 0.5 * np.abs(front)))
    return [torch.tensor(a, dtype=torch.float32) for a in (x, temperature, rain, gust)]


class ThreeHeads(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(18, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.heads = nn.ModuleDict({name: nn.Linear(width, 1) for name in ("temperature", "rain", "gust")})
        self.log_var = nn.Parameter(torch.zeros(3))
        nn.init.constant_(self.heads["temperature"].bias, 12.0)
        nn.init.constant_(self.heads["gust"].bias, 1.5)

    def forward(self, x):
        h = self.trunk(x)
        return {name: head(h).squeeze(1) for name, head in self.heads.items()}


def losses(out, temperature, rain, gust):
    return torch.stack(
        [
            F.mse_loss(out["temperature"], temperature),
            F.binary_cross_entropy_with_logits(out["rain"], rain),
            F.poisson_nll_loss(out["gust"], gust),
        ]
    )


@torch.no_grad()
def skill(model, x, temperature, rain, gust):
    model.eval()
    out = model(x)
    warm = 1 - F.mse_loss(out["temperature"], temperature) / temperature.var()
    wet = ((out["rain"] > 0) == (rain > 0.5)).float().mean()
    windy = 1 - F.mse_loss(out["gust"].exp(), gust) / gust.var()
    return [warm.item(), wet.item(), windy.item()]


def main():
    torch.manual_seed(20)
    data, test = stations(7000, 3), stations(1500, 4)
    loader = DataLoader(TensorDataset(*data), batch_size=64, shuffle=True)
    model = ThreeHeads()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.88)
    for epoch in range(13):
        model.train()
        mean = torch.zeros(3)
        for x, *targets in loader:
            each = losses(model(x), *targets)
            loss = (each * (-model.log_var).exp() + 0.5 * model.log_var).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            mean += each.detach() / len(loader)
        scheduler.step()
        print(
            f"epoch {epoch:2d}:",
            *(f"{m:.4f}" for m in mean.tolist()),
            "| skill",
            *(f"{s:.3f}" for s in skill(model, *test)),
        )
    print(f"metric: {np.mean(skill(model, *test)):.4f}")


if __name__ == "__main__":
    main()
