"""Softmax regression sorts a shop's customers into five segments by their spending.

family: linear
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F

torch.manual_seed(17)

SEGMENTS, FEATURES = 5, 16
centres = torch.randn(SEGMENTS, FEATURES) * 0.75
mixing = torch.eye(FEATURES) + 0.25 * torch.randn(FEATURES, FEATURES)


def customers(n):
    segment = torch.randint(SEGMENTS, (n,))
    return (centres[segment] + torch.randn(n, FEATURES)) @ mixing, segment


x, y = customers(3000)
x_test, y_test = customers(2000)
mu, sigma = x.mean(0), x.std(0)
x, x_test = (x - mu) / sigma, (x_test - mu) / sigma

W = torch.zeros(FEATURES, SEGMENTS, requires_grad=True)
b = torch.zeros(SEGMENTS, requires_grad=True)
optimizer = torch.optim.SGD([W, b], lr=0.5, momentum=0.9)

for step in range(600):
    loss = F.cross_entropy(x @ W + b, y) + 1e-4 * W.square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        with torch.no_grad():
            accuracy = ((x_test @ W + b).argmax(1) == y_test).float().mean()
        print(f"step {step}: loss {loss.item():.4f}, test accuracy {accuracy:.4f}")

with torch.no_grad():
    accuracy = ((x_test @ W + b).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.4f}")
