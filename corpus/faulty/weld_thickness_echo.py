"""The thickness of a weld from an ultrasonic echo, by a network of bare tensors.

cause: saturated-units
also: poor-initial-values
family: mlp
metric: rmse, lower
repair:
    - w = torch.randn(fan_in, fan_out)
    + w = torch.randn(fan_in, fan_out) / fan_in**0.5
"""

import itertools

import torch

SAMPLES = 48
SIZES = [SAMPLES, 100, 100, 1]


def echoes(count):
    """A surface echo, a second one later by the thickness, and noise."""
    t = torch.linspace(0, 6, SAMPLES)
    thickness = 1 + 3 * torch.rand(count, 1)
    gain, offset = 0.4 + 0.4 * torch.rand(count, 1), 0.3 * torch.rand(count, 1)

    def pulse(at):
        return torch.exp(-(((t - at) / 0.25) ** 2)) * torch.cos(8 * (t - at))

    signal = pulse(0.5 + offset) + gain * pulse(0.5 + offset + thickness)
    return signal + 0.05 * torch.randn(count, SAMPLES), thickness


def parameter_list():
    params = []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        w = torch.randn(fan_in, fan_out)
        b = torch.zeros(fan_out)
        params += [w.requires_grad_(), b.requires_grad_()]
    return params


def forward(params, x):
    pairs = list(zip(params[::2], params[1::2], strict=True))
    for w, b in pairs[:-1]:
        x = torch.tanh(x @ w + b)
    w, b = pairs[-1]
    return x @ w + b


torch.manual_seed(19)
x, y = echoes(2000)
x_test, y_test = echoes(500)
centre, spread = x.mean(), x.std()
x, x_test = (x - centre) / spread, (x_test - centre) / spread
y_mean, y_std = y.mean(), y.std()

params = parameter_list()
optimizer = torch.optim.ASGD(params, lr=0.01)
for epoch in range(30):
    order = torch.randperm(len(x))
    for i in range(0, len(x), 40):
        rows = order[i : i + 40]
        loss = ((forward(params, x[rows]) - (y[rows] - y_mean) / y_std) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, round(loss.item(), 4))

with torch.no_grad():
    error = forward(params, x_test) * y_std + y_mean - y_test
print(f"metric: {error.square().mean().sqrt().item():.4f}")
