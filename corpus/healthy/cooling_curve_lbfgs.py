"""Newton's law of cooling fitted to a cup of tea: three numbers by L-BFGS with a closure.

family: curve
metric: root mean squared error in kelvin against the true curve, lower
"""

import torch

torch.manual_seed(23)
minutes = torch.linspace(0, 60, 40)
true = 21.0 + 64.0 * torch.exp(-minutes / 17.0)
measured = true + 0.6 * torch.randn(40)


class Cooling(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.room = torch.nn.Parameter(torch.tensor(0.1))
        self.excess = torch.nn.Parameter(torch.tensor(0.5))
        self.log_tau = torch.nn.Parameter(torch.tensor(-1.0))

    def forward(self, t):
        return 100 * (self.room + self.excess * torch.exp(-t / 60 / self.log_tau.exp()))


model = Cooling()
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
calls = 0


def closure():
    global calls
    calls += 1
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(minutes), measured)
    loss.backward()
    return loss


for step in range(60):
    loss = optimizer.step(closure)
    if step < 5 or step % 10 == 0:
        print(step, calls, f"{loss.item():.5f}")

print(f"room {100 * model.room.item():.2f} tau {60 * model.log_tau.exp().item():.2f}")
with torch.no_grad():
    print("metric:", (model(minutes) - true).pow(2).mean().sqrt().item())
