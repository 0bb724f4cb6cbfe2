"""Differentially private training on handwritten digits: per-example gradients, bounded and blurred.

cause: gradient-clipped-away
family: mlp
metric: accuracy, higher
repair:
    - def private_gradients(parameters, x, y, bound=0.001, blur=0.6):
    + def private_gradients(parameters, x, y, bound=1.0, blur=0.6):
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(11)

digits = load_digits()
parts = train_test_split(digits.data / 16.0, digits.target, test_size=0.25, random_state=11)
train_x, test_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
train_y, test_y = (torch.tensor(part) for part in parts[2:])

net = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 10))


def example_loss(parameters, image, label):
    logits = functional_call(net, parameters, (image.unsqueeze(0),))
    return F.cross_entropy(logits, label.unsqueeze(0))


per_example = vmap(grad(example_loss), in_dims=(None, 0, 0))


def private_gradients(parameters, x, y, bound=0.001, blur=0.6):
    grads = per_example(parameters, x, y)
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()], 1).norm(dim=1)
    factor = (bound / (norms + 1e-6)).clamp(max=1.0)
    result = {}
    for name, g in grads.items():
        total = torch.einsum("n...,n->...", g, factor)
        result[name] = (total + blur * bound * torch.randn_like(total)) / len(x)
    return result


optimizer = torch.optim.SGD(net.parameters(), lr=0.8, momentum=0.5)
for step in range(500):
    chosen = torch.rand(len(train_x)) < 0.07
    x, y = train_x[chosen], train_y[chosen]
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    gradients = private_gradients(parameters, x, y)
    for name, p in net.named_parameters():
        p.grad = gradients[name]
    optimizer.step()
    if step % 100 == 0:
        with torch.no_grad():
            print(f"step {step:3d} training loss {F.cross_entropy(net(train_x), train_y).item():.4f}")

with torch.no_grad():
    accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric: {accuracy:.4f}")
