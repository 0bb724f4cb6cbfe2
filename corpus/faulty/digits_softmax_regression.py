"""Softmax regression on handwritten digits that are kept in ten drawers.

cause: data-not-shuffled
family: linear
metric: accuracy, higher
repair:
    - loader = DataLoader(dataset, batch_size=20)
    + loader = DataLoader(dataset, batch_size=20, shuffle=True)
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
is_test = torch.arange(len(x)) % 5 == 0

drawers = []
for digit in range(10):
    mine = (y == digit) & ~is_test
    drawers.append(TensorDataset(x[mine], y[mine]))
dataset = ConcatDataset(drawers)
loader = DataLoader(dataset, batch_size=20)

model = nn.Linear(64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
criterion = nn.CrossEntropyLoss()

for epoch in range(15):
    running = 0.0
    for images, labels in loader:
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch + 1}, loss {running / len(loader):.4f}")

with torch.no_grad():
    correct = (model(x[is_test]).argmax(1) == y[is_test]).sum().item()
print(f"metric: {correct / is_test.sum().item():.4f}")
