"""Two noisy rings, one within the other: two hundred points, all of them at every step.

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import make_circles

torch.manual_seed(64)
x, y = make_circles(200, noise=0.09, factor=0.5, random_state=2)
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)


def layer(n_in, n_out, gain):
    w = (torch.randn(n_in, n_out) * gain / n_in**0.5).requires_grad_(True)
    b = torch.zeros(n_out, requires_grad=True)
    return w, b


w1, b1 = layer(2, 16, 2**0.5)
w2, b2 = layer(16, 1, 1.0)


def net(points):
    return (torch.relu(points @ w1 + b1) @ w2 + b2).squeeze(1)


weights = [w1, w2]
optimizer = torch.optim.SGD(
    [{"params": weights, "weight_decay": 1e-3}, {"params": [b1, b2]}], lr=0.15, momentum=0.9
)
for step in range(800):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}, cross entropy {loss.item():.4f}")

x_new, y_new = make_circles(4000, noise=0.09, factor=0.5, random_state=3)
with torch.no_grad():
    guess = net(torch.tensor(x_new, dtype=torch.float32)) > 0
print(f"metric: {(guess == torch.tensor(y_new > 0)).float().mean().item():.4f}")
