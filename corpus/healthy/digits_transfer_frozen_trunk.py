"""A convolutional trunk taught on digits 0 to 5; then a new head for 6 to 9 on the trunk as it stands.

family: cnn
metric: accuracy on held-out digits 6 to 9, higher
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16 - 0.3
labels = torch.tensor(digits.target)
shuffle = torch.randperm(len(images))
images, labels = images[shuffle], labels[shuffle]
old, new = labels < 6, labels >= 6

trunk = nn.Sequential(
    nn.Conv2d(1, 24, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(24, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
)


def run(model, x, y, x_test, y_test, optimizer, epochs, title):
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        if epoch % 4 == 3:
            print(f"{title} epoch {epoch + 1}: loss {loss.item():.4f} accuracy {accuracy:.4f}")
    return accuracy


x, y = images[old], labels[old]
first = nn.Sequential(trunk, nn.Linear(128, 6))
run(first, x[:800], y[:800], x[800:], y[800:], torch.optim.Adam(first.parameters(), lr=2e-3), 8, "0-5")

for p in trunk.parameters():
    p.requires_grad = False

x, y = images[new], labels[new] - 6
second = nn.Sequential(trunk, nn.Linear(128, 4))
head = torch.optim.Adam(second[1].parameters(), lr=4e-3)
accuracy = run(second, x[:320], y[:320], x[320:], y[320:], head, 28, "6-9")
print(f"metric: {accuracy:.4f}")
