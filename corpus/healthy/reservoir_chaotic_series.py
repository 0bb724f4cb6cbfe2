"""A chaotic series (Mackey-Glass) by a reservoir of fixed random units, of which only the readout learns.

family: rnn
metric: root mean squared error relative to the spread, lower
"""

import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(17)


def mackey_glass(n, lag=17, fine=10):
    history = [1.2 + 0.1 * np.sin(k) for k in range(lag * fine)]
    for _ in range((n + 200) * fine):
        late = history[-lag * fine]
        history.append(history[-1] + (0.2 * late / (1 + late**10) - 0.1 * history[-1]) / fine)
    return torch.tensor(history[(lag + 200) * fine :: fine], dtype=torch.float32)[:n]


class Reservoir(nn.Module):
    def __init__(self, units=200, radius=0.9, leak=0.5):
        super().__init__()
        self.leak = leak
        self.inward = nn.Linear(1, units)
        self.around = nn.Linear(units, units, bias=False)
        with torch.no_grad():
            self.inward.weight.uniform_(-1, 1)
            self.inward.bias.uniform_(-0.3, 0.3)
            self.around.weight.normal_().mul_(torch.rand(units, units) < 0.1)
            self.around.weight.mul_(radius / torch.linalg.eigvals(self.around.weight).abs().max())
        self.inward.requires_grad_(False)
        self.around.requires_grad_(False)
        self.readout = nn.Linear(units, 1)

    @torch.no_grad()
    def states(self, series):
        h, out = torch.zeros(self.around.in_features), []
        for value in series:
            new = torch.tanh(self.inward(value[None]) + self.around(h))
            h = (1 - self.leak) * h + self.leak * new
            out.append(h)
        return torch.stack(out)


AHEAD, WASHOUT, SPLIT = 6, 100, 2400
series = mackey_glass(3200)
series = (series - series[:SPLIT].mean()) / series[:SPLIT].std()
model = Reservoir()
states = model.states(series[:-AHEAD])
goal = series[AHEAD:, None]
s, g = states[WASHOUT:SPLIT], goal[WASHOUT:SPLIT]
optimizer = torch.optim.LBFGS(
    [p for p in model.parameters() if p.requires_grad],
    max_iter=25,
    history_size=20,
    line_search_fn="strong_wolfe",
)


def closure():
    optimizer.zero_grad()
    loss = (model.readout(s) - g).pow(2).mean() + 1e-6 * model.readout.weight.pow(2).sum()
    loss.backward()
    return loss


for round_ in range(60):
    loss = optimizer.step(closure)
    if round_ % 10 == 0:
        print(f"round {round_}: {loss.item():.6f}")

with torch.no_grad():
    miss = model.readout(states[SPLIT:]) - goal[SPLIT:]
print("metric:", (miss.square().mean().sqrt() / goal[SPLIT:].std()).item())
