"""Penguin species from four measurements by a network of bare tensors, RMSprop over a list of them.

family: mlp
metric: accuracy, higher
"""

import torch

g = torch.Generator().manual_seed(19)
means = torch.tensor([[38.8, 18.3, 190.0, 3700.0], [48.8, 18.4, 196.0, 3730.0], [47.5, 15.0, 217.0, 5080.0]])
stds = torch.tensor([[2.7, 1.2, 6.5, 460.0], [3.3, 1.1, 7.1, 380.0], [3.1, 1.0, 6.5, 500.0]])


def penguins(n):
    species = torch.multinomial(torch.tensor([0.44, 0.2, 0.36]), n, replacement=True, generator=g)
    size = torch.randn(n, 1, generator=g)
    own = torch.randn(n, 4, generator=g)
    return means[species] + stds[species] * (0.6 * size + 0.8 * own), species


x, y = penguins(500)
x_test, y_test = penguins(1000)
mean, std = x.mean(0), x.std(0)
x, x_test = (x - mean) / std, (x_test - mean) / std

w1 = (torch.randn(4, 16, generator=g) * 0.5).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
w2 = (torch.randn(16, 3, generator=g) * 0.25).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)
params = [w1, b1, w2, b2]


def forward(x):
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def log_softmax(z):
    return z - z.logsumexp(1, keepdim=True)


opt = torch.optim.RMSprop(params, lr=2e-3)
for epoch in range(40):
    order = torch.randperm(len(x), generator=g)
    total = 0.0
    for i in range(0, len(x), 25):
        rows = order[i : i + 25]
        loss = -log_softmax(forward(x[rows]))[torch.arange(len(rows)), y[rows]].mean()
        for p in params:
            p.grad = None
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: {total / len(x):.4f}")

with torch.no_grad():
    accuracy = (forward(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.4f}")
