"""Kinds of raisins by size and sugar, a neural network written without nn.Module.

cause: symmetric-initial-values
family: mlp
metric: accuracy, higher
repair:
    - params[f"W{i}"] = torch.full((fan_in, fan_out), 0.1)
    + params[f"W{i}"] = torch.randn(fan_in, fan_out) / fan_in**0.5
"""

import numpy as np
import torch

np.random.seed(8)
torch.manual_seed(8)


def make_raisins(n):
    y = np.random.randint(0, 4, n)
    centres = np.array([[-1.2, -1.0], [1.1, -1.1], [-1.0, 1.2], [1.2, 1.0]])
    x = centres[y] + 0.35 * np.random.randn(n, 2)
    swap = np.random.rand(n) < 0.5
    y = np.where((y == 3) & swap, 0, np.where((y == 1) & swap, 2, y))
    x[swap] = x[swap] * 0.5
    extra = np.random.randn(n, 4)
    return torch.tensor(np.hstack([x, extra]), dtype=torch.float32), torch.tensor(y)


def initialize_parameters(layer_dims):
    params = {}
    for i, (fan_in, fan_out) in enumerate(zip(layer_dims[:-1], layer_dims[1:], strict=True), start=1):  # noqa: RUF007
        params[f"W{i}"] = torch.full((fan_in, fan_out), 0.1)
        params[f"b{i}"] = torch.zeros(fan_out)
    for p in params.values():
        p.requires_grad_()
    return params


def forward(x, params):
    n_layers = len(params) // 2
    a = x
    for i in range(1, n_layers):
        a = torch.tanh(a @ params[f"W{i}"] + params[f"b{i}"])
    return a @ params[f"W{n_layers}"] + params[f"b{n_layers}"]


def cross_entropy(logits, y):
    log_p = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    return -log_p[torch.arange(len(y)), y].mean()


def accuracy(x, y, params):
    with torch.no_grad():
        return (forward(x, params).argmax(1) == y).float().mean().item()


X, Y = make_raisins(2000)
X_test, Y_test = make_raisins(600)
params = initialize_parameters([6, 40, 20, 4])
optimizer = torch.optim.SGD(params.values(), lr=0.1, momentum=0.9)

for epoch in range(40):
    shuffled = torch.randperm(len(X))
    for k in range(0, len(X), 64):
        batch = shuffled[k : k + 64]
        cost = cross_entropy(forward(X[batch], params), Y[batch])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"Cost after epoch {epoch + 1}: {cost.item():.4f}, test {accuracy(X_test, Y_test, params):.4f}")

print(f"metric: {accuracy(X_test, Y_test, params):.4f}")
