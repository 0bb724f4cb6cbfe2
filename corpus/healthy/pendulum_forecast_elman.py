"""An Elman network that forecasts a driven oscillator from noisy readings.

family: rnn
metric: mean squared error relative to repeating the last reading, lower
"""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(3)
torch.manual_seed(3)


def simulate(steps, dt=0.15):
    angle, speed, out = 1.0, 0.0, []
    for k in range(steps):
        push = 0.8 * np.sin(0.5 * k * dt) + 0.5 * np.sin(1.3 * k * dt + 1)
        speed += dt * (-np.sin(angle) - 0.15 * speed + push * 0.6)
        angle += dt * speed
        out.append(angle)
    return np.array(out, dtype=np.float32)


truth = simulate(5000)
truth = (truth - truth[:4000].mean()) / truth[:4000].std()
readings = truth + 0.05 * rng.standard_normal(len(truth)).astype(np.float32)

WINDOW, AHEAD = 30, 4
windows = np.lib.stride_tricks.sliding_window_view(readings, WINDOW)[: -AHEAD - 1]
targets = readings[WINDOW - 1 + AHEAD :][: len(windows)]
x = torch.from_numpy(windows.copy()).unsqueeze(-1)
y = torch.from_numpy(targets.copy()).unsqueeze(-1)
split = 3900
x_train, y_train, x_test, y_test = x[:split], y[:split], x[split + WINDOW :], y[split + WINDOW :]

rnn = nn.RNN(1, 32, nonlinearity="tanh", batch_first=True)
head = nn.Linear(32, 1)
nn.init.orthogonal_(rnn.weight_hh_l0)
weights = [*rnn.parameters(), *head.parameters()]
optimizer = torch.optim.RMSprop(weights, lr=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.3)


def forecast(inputs):
    states, _ = rnn(inputs)
    return inputs[:, -1] + head(states[:, -1])


for epoch in range(15):
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(64):
        error = (forecast(x_train[rows]) - y_train[rows]).square().mean()
        optimizer.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        total += error.item() * len(rows)
    scheduler.step()
    with torch.no_grad():
        test = (forecast(x_test) - y_test).square().mean().item()
    print(f"epoch {epoch:2d} train {total / len(x_train):.5f} test {test:.5f}")

naive = (x_test[:, -1] - y_test).square().mean().item()
print(f"metric: {test / naive:.5f}")
