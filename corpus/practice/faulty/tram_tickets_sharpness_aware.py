"""Digits stamped on tram tickets, by a small convnet that is to end in a flat place: two-pass steps (SAM).

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - optimizer.first_step()
    + optimizer.first_step(zero_grad=True)
    - optimizer.second_step()
    + optimizer.second_step(zero_grad=True)
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class SAM(torch.optim.Optimizer):
    """Climbs to the worst point of a small ball, takes the gradient there, steps from where it was."""

    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        norm = self._grad_norm()
        for group in self.param_groups:
            scale = group["rho"] / (norm + 1e-12)
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.state[p]["old"] = p.clone()
                p.add_(p.grad, alpha=scale.item())
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.copy_(self.state[p]["old"])
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def step(self, closure=None):
        raise NotImplementedError("call first_step and second_step")

    def _grad_norm(self):
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        return torch.stack([g.norm() for g in grads]).norm()


class StampReader(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.out = nn.Linear(2 * width * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.silu(self.conv1(x)), 2)
        x = F.max_pool2d(F.silu(self.conv2(x)), 2)
        return self.out(x.flatten(1))


def tickets():
    images, digits = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(8))
    images, digits = images[order], torch.tensor(digits)[order]
    return (images[:1300], digits[:1300]), (images[1300:], digits[1300:])


torch.manual_seed(8)
(x_train, y_train), (x_test, y_test) = tickets()
model = StampReader()
optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.05, lr=0.05, momentum=0.9)

for epoch in range(14):
    model.train()
    for batch in torch.randperm(len(x_train)).split(50):
        x, y = x_train[batch], y_train[batch]

        # uphill
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.first_step()

        # downhill, with the gradient of the worse place
        F.cross_entropy(model(x), y).backward()
        optimizer.second_step()

    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch:2d} | loss {loss.item():.4f} | accuracy {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
