"""Homework: gradient descent with momentum by hand, on judges' scores of trampoline routines.

cause: momentum-too-high
family: mlp
metric: mean squared error, lower
repair:
    - MOMENTUM = 0.99
    + MOMENTUM = 0.9
"""

import torch

torch.manual_seed(21)

LR = 0.03
MOMENTUM = 0.99
BATCH = 32
EPOCHS = 25
HIDDEN = 128


def routines(n):
    # height, number of twists, of somersaults, horizontal drift, stretched legs, synchrony, landing
    x = torch.randn(n, 7)
    difficulty = 0.8 * torch.tanh(x[:, 1]) + 0.6 * torch.relu(x[:, 2]) * torch.sigmoid(x[:, 0])
    execution = -0.4 * x[:, 3] ** 2 + 0.5 * x[:, 4] * (x[:, 0] > 0) + 0.3 * torch.sin(2 * x[:, 5])
    landing = torch.where(x[:, 6] < -1, -1.5, 0.2)
    score = difficulty + execution + landing + 0.2 * torch.randn(n)
    return x, ((score + 0.1) / 1.2).unsqueeze(1)


def init_layer(fan_in, fan_out):
    w = torch.randn(fan_in, fan_out) * (2 / fan_in) ** 0.5
    b = torch.zeros(fan_out)
    return w.requires_grad_(), b.requires_grad_()


def forward(params, x):
    w1, b1, w2, b2, w3, b3 = params
    h = torch.relu(x @ w1 + b1)
    h = torch.relu(h @ w2 + b2)
    return h @ w3 + b3


x_train, y_train = routines(2400)
x_test, y_test = routines(600)
params = [*init_layer(7, HIDDEN), *init_layer(HIDDEN, HIDDEN), *init_layer(HIDDEN, 1)]
velocity = [torch.zeros_like(p) for p in params]

for epoch in range(EPOCHS):
    order = torch.randperm(len(x_train))
    epoch_loss = 0.0
    for start in range(0, len(order), BATCH):
        idx = order[start : start + BATCH]
        loss = ((forward(params, x_train[idx]) - y_train[idx]) ** 2).mean()
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g, v in zip(params, grads, velocity, strict=True):
                v.mul_(MOMENTUM).add_(g)
                p.sub_(LR * v)
        epoch_loss += loss.item() * len(idx)
    with torch.no_grad():
        test_loss = ((forward(params, x_test) - y_test) ** 2).mean().item()
    print(f"epoch {epoch + 1}: train {epoch_loss / len(order):.4f}, test {test_loss:.4f}")

print(f"metric: {test_loss:.5f}")
