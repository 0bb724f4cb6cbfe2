"""A deep and narrow perceptron with batch normalisation on handwritten digits.

cause: training-in-eval-mode
family: mlp
metric: accuracy, higher
repair:
    - for images, labels in batches(x_train, y_train, 64):
    + model.train()
    + for images, labels in batches(x_train, y_train, 64):
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def block(width):
    return nn.Sequential(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())


def batches(x, y, size):
    order = torch.randperm(len(x))
    for i in range(0, len(x) - size + 1, size):
        rows = order[i : i + size]
        yield x[rows], y[rows]


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        logits = model(x)
    return (logits.argmax(1) == y).float().mean().item()


torch.manual_seed(4)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=4)

model = nn.Sequential(nn.Linear(64, 40), *[block(40) for _ in range(12)], nn.Linear(40, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()
print(f"before: accuracy {evaluate(model, x_test, y_test):.3f}")

for epoch in range(12):
    for images, labels in batches(x_train, y_train, 64):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}, accuracy {evaluate(model, x_test, y_test):.3f}")

print(f"metric: {evaluate(model, x_test, y_test):.4f}")
