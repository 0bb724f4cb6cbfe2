"""Michaelis-Menten kinetics with inhibition: four constants of an enzyme from measured rates.

family: curve
metric: worst_relative_error, lower
"""

import torch
from torch import nn

TRUE = {"v_max": 12.0, "k_m": 0.8, "k_i": 4.0, "hill": 1.6}


class Enzyme(nn.Module):
    """The constants are positive: their logarithms are what is fitted."""

    def __init__(self):
        super().__init__()
        self.log_v_max = nn.Parameter(torch.tensor(1.0))
        self.log_k_m = nn.Parameter(torch.tensor(0.0))
        self.log_k_i = nn.Parameter(torch.tensor(0.0))
        self.log_hill = nn.Parameter(torch.tensor(0.0))

    def forward(self, substrate, inhibitor):
        k_m = self.log_k_m.exp() * (1 + inhibitor / self.log_k_i.exp())
        power = substrate ** self.log_hill.exp()
        return self.log_v_max.exp() * power / (k_m + power)


def measure(count):
    substrate = torch.logspace(-1.5, 1.5, 30).repeat(count // 30)
    inhibitor = torch.tensor([0.0, 1.0, 3.0, 10.0]).repeat_interleave(count // 4)[: len(substrate)]
    power = substrate ** TRUE["hill"]
    rate = TRUE["v_max"] * power / (TRUE["k_m"] * (1 + inhibitor / TRUE["k_i"]) + power)
    return substrate, inhibitor, rate * (1 + 0.03 * torch.randn(len(rate)))


torch.manual_seed(77)
substrate, inhibitor, rate = measure(480)
enzyme = Enzyme()
optimizer = torch.optim.Adam(enzyme.parameters(), lr=0.02)
for step in range(1500):
    optimizer.zero_grad()
    # Measurement errors grow with the rate: relative residuals.
    predicted = enzyme(substrate, inhibitor)
    loss = torch.mean(((predicted - rate) / (rate + 0.05)) ** 2)
    loss.backward()
    optimizer.step()
    if step % 250 == 0:
        constants = [f"{name[4:]}={p.exp().item():.3f}" for name, p in enzyme.named_parameters()]
        print(step, f"{loss.item():.5f}", *constants)

errors = [abs(p.exp().item() / TRUE[name[4:]] - 1) for name, p in enzyme.named_parameters()]
print(f"metric: {max(errors):.5f}")
