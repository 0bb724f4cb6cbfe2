"""Handwritten digits from a few examples a class.

cause: overfitting
family: cnn
metric: cross entropy, lower
repair:
    - model = Network(width=64, dropout=0.0)
    + model = Network(width=64, dropout=0.5)
    - def view(images):
    -     return images
    + def view(images):
    +     dy, dx = torch.randint(-1, 2, (2,)).tolist()
    +     return images.roll((dy, dx), dims=(2, 3)) + 0.15 * torch.randn_like(images)
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

torch.manual_seed(16)


class Network(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.d = nn.Dropout(dropout)
        self.f1 = nn.Linear(32 * 16, width)
        self.f2 = nn.Linear(width, 10)

    def forward(self, x):
        x = F.relu(self.c2(F.relu(self.c1(x))))
        x = self.d(F.max_pool2d(x, 2).flatten(1))
        return self.f2(self.d(F.relu(self.f1(x))))


def view(images):
    return images


def split(per_class):
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images).float().view(-1, 1, 8, 8) / 16
    labels = torch.tensor(labels)
    chosen = torch.cat([torch.nonzero(labels == k)[:per_class, 0] for k in range(10)])
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[chosen] = False
    return images[chosen], labels[chosen], images[rest], labels[rest]


x, y, x_test, y_test = split(per_class=6)
model = Network(width=64, dropout=0.0)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(200):
    model.train()
    for rows in torch.randperm(len(x)).split(16):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(view(x[rows])), y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0 or epoch == 199:
        model.eval()
        with torch.no_grad():
            logits = model(x_test)
            test_loss = F.cross_entropy(logits, y_test).item()
            accuracy = (logits.argmax(1) == y_test).float().mean().item()
        print(f"{epoch:3d} train {loss.item():.4f} test {test_loss:.4f} accuracy {accuracy:.3f}")
print(f"metric: {test_loss:.4f}")
