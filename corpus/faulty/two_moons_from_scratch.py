"""A two-layer network on two moons, written with bare tensors.

cause: symmetric-initial-values
family: mlp
metric: accuracy, higher
repair:
    - W1 = torch.full((2, H), 0.1, requires_grad=True)
    + W1 = (torch.randn(2, H) * 0.5).requires_grad_()
    - W2 = torch.full((H, H), 0.1, requires_grad=True)
    + W2 = (torch.randn(H, H) * H**-0.5).requires_grad_()
    - W3 = torch.full((H, 1), 0.1, requires_grad=True)
    + W3 = (torch.randn(H, 1) * H**-0.5).requires_grad_()
"""

import torch
from sklearn.datasets import make_moons

torch.manual_seed(0)
H = 24

x, t = make_moons(n_samples=900, noise=0.12, random_state=4)
x, t = torch.tensor(x, dtype=torch.float32), torch.tensor(t, dtype=torch.float32)
x = x - x.mean(0)
x_train, t_train, x_test, t_test = x[:600], t[:600], x[600:], t[600:]

W1 = torch.full((2, H), 0.1, requires_grad=True)
b1 = torch.zeros(H, requires_grad=True)
W2 = torch.full((H, H), 0.1, requires_grad=True)
b2 = torch.zeros(H, requires_grad=True)
W3 = torch.full((H, 1), 0.1, requires_grad=True)
b3 = torch.zeros(1, requires_grad=True)
params = [W1, b1, W2, b2, W3, b3]


def forward(x):
    h = torch.tanh(x @ W1 + b1)
    h = torch.tanh(h @ W2 + b2)
    return (h @ W3 + b3).squeeze(1)


opt = torch.optim.SGD(params, lr=0.3, momentum=0.9)
for i in range(1200):
    pick = torch.randint(0, 600, (100,))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(forward(x_train[pick]), t_train[pick])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 150 == 0:
        print(f"{i:5d} {loss.item():.4f}")

with torch.no_grad():
    acc = ((forward(x_test) > 0) == (t_test > 0.5)).float().mean().item()
print(f"metric: {acc:.4f}")
