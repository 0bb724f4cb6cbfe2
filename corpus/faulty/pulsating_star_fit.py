"""A sinusoid with two overtones, fitted to the brightness of a pulsating star by gradient descent.

cause: poor-initial-values
family: curve fit
metric: rms residual, lower
repair:
    - frequency = torch.tensor(1.0, requires_grad=True)
    + frequency = torch.tensor(periodogram_peak(time, brightness), requires_grad=True)
"""

import math

import torch

torch.manual_seed(23)


def observe(count):
    """Nights scattered over forty days."""
    time = 40 * torch.rand(count).sort().values
    phase = 2 * math.pi * 1.7317 * time + 0.6
    brightness = 9.2 + 0.45 * phase.sin() + 0.12 * (2 * phase + 1).sin() + 0.03 * torch.randn(count)
    return time, brightness


def periodogram_peak(time, brightness, lowest=0.1, highest=5.0, points=4000):
    trial = torch.linspace(lowest, highest, points)
    angle = 2 * math.pi * trial[:, None] * time
    centred = brightness - brightness.mean()
    power = (angle.cos() @ centred) ** 2 + (angle.sin() @ centred) ** 2
    return trial[power.argmax()].item()


time, brightness = observe(360)
fitted = torch.rand(len(time)) < 0.8

frequency = torch.tensor(1.0, requires_grad=True)
mean = brightness[fitted].mean().clone().requires_grad_()
coefficients = torch.full((3, 2), 0.1, requires_grad=True)
print(f"the periodogram is highest at {periodogram_peak(time, brightness):.3f} per day")


def light_curve(t):
    angle = 2 * math.pi * frequency * t[:, None] * torch.arange(1, 4)
    waves = coefficients[:, 0] * angle.sin() + coefficients[:, 1] * angle.cos()
    return mean + waves.sum(1)


optimizer = torch.optim.Adam(
    [{"params": [frequency], "lr": 3e-4}, {"params": [mean, coefficients], "lr": 1e-2}]
)
for step in range(2500):
    loss = (light_curve(time[fitted]) - brightness[fitted]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 500 == 0:
        print(f"{step:5d}  {loss.item():.5f}  frequency {frequency.item():.4f}")

with torch.no_grad():
    residual = (light_curve(time[~fitted]) - brightness[~fitted]).square().mean().sqrt()
print(f"metric: {residual.item():.5f}")
