"""The shade of a glaze from its recipe: whenever validation gets worse, back to the best, more slowly.

cause: parameters-not-in-optimizer
begins: 161
family: mlp
metric: mean squared error, lower
repair:
    - self.model = copy.deepcopy(self.best)
    + self.model.load_state_dict(self.best.state_dict())
"""

import copy

import numpy as np
import torch
from torch import nn

OXIDES = ("silica", "alumina", "lime", "soda", "potash", "iron", "copper", "cobalt", "tin", "zinc")


def recipes(n, rng):
    """Shares of the oxides, and the glaze's colour in L*a*b*, scaled."""
    share = rng.dirichlet(np.full(len(OXIDES), 0.8), n)
    iron, copper, cobalt, tin = (share[:, OXIDES.index(o)] for o in ("iron", "copper", "cobalt", "tin"))
    flux = share[:, 2:5].sum(1)
    light = np.exp(-6 * (iron + cobalt) / (0.4 + flux)) + 0.8 * tin * (1 - copper)
    red = np.tanh(8 * iron * (1 - flux)) - np.tanh(9 * copper * flux)
    yellow = np.sin(5 * iron + 3 * tin) - np.tanh(10 * cobalt) + share[:, 0] * flux * 3
    colour = np.stack([light, red, yellow], 1) + rng.normal(0, 0.02, (n, 3))
    return torch.tensor((share - 0.1) / 0.1, dtype=torch.float32), torch.tensor(colour, dtype=torch.float32)


class GlazeNet(nn.Sequential):
    def __init__(self, hidden=96):
        super().__init__(
            nn.Linear(len(OXIDES), hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 3),
        )


class Potter:
    def __init__(self, lr=0.02):
        self.model = GlazeNet()
        self.best = copy.deepcopy(self.model)
        self.best_loss = float("inf")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.loss = nn.MSELoss()

    def epoch(self, x, y, batch=40):
        for rows in torch.randperm(len(x)).split(batch):
            self.optimizer.zero_grad()
            self.loss(self.model(x[rows]), y[rows]).backward()
            self.optimizer.step()

    @torch.no_grad()
    def judge(self, x, y):
        return self.loss(self.model(x), y).item()

    def look_back(self, current):
        """Keeps what is better than before; otherwise returns to the best and halves the rate."""
        if current < self.best_loss:
            self.best_loss = current
            self.best = copy.deepcopy(self.model)
            return "kept"
        self.model = copy.deepcopy(self.best)
        for group in self.optimizer.param_groups:
            group["lr"] /= 2
        return f"back, rate {group['lr']:.1e}"


rng = np.random.default_rng(33)
torch.manual_seed(33)
x_train, y_train = recipes(1600, rng)
x_valid, y_valid = recipes(400, rng)
x_test, y_test = recipes(800, rng)
potter = Potter()
for epoch in range(30):
    potter.epoch(x_train, y_train)
    current = potter.judge(x_valid, y_valid)
    print(f"{epoch + 1:2d}: {current:.5f} {potter.look_back(current)}")
potter.model = potter.best
print(f"metric: {potter.judge(x_test, y_test):.6f}")
