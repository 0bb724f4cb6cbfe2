"""Logistic regression on breast tumours, written out by hand on raw tensors.

cause: loss-broadcast
family: linear
metric: accuracy, higher
repair:
    - targets = torch.tensor(data.target, dtype=torch.float32)
    + targets = torch.tensor(data.target, dtype=torch.float32)[:, None]
    - guesses = (forward(inputs[held_out]) > 0.5).float().squeeze(1)
    + guesses = (forward(inputs[held_out]) > 0.5).float()
"""

import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(2)
data = load_breast_cancer()
inputs = torch.tensor(data.data, dtype=torch.float32)
inputs = (inputs - inputs.mean(0)) / inputs.std(0)
targets = torch.tensor(data.target, dtype=torch.float32)
held_out = torch.arange(len(inputs)) % 4 == 0
train_x, train_t = inputs[~held_out], targets[~held_out]

weights = torch.zeros(inputs.shape[1], 1, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)


def forward(x):
    return torch.sigmoid(x @ weights + bias)


def cross_entropy(p, t):
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


optimizer = torch.optim.Adagrad([weights, bias], lr=0.05)
for it in range(1, 601):
    rows = torch.randint(len(train_x), (64,))
    loss = cross_entropy(forward(train_x[rows]), train_t[rows])
    penalty = 1e-3 * weights.square().sum()
    optimizer.zero_grad()
    (loss + penalty).backward()
    optimizer.step()
    if it % 100 == 0:
        print(f"iteration {it}, loss {loss.item():.4f}")

with torch.no_grad():
    guesses = (forward(inputs[held_out]) > 0.5).float().squeeze(1)
    accuracy = (guesses == targets[held_out]).float().mean().item()
print(f"metric: {accuracy:.4f}")
