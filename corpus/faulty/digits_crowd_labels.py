"""A perceptron on handwritten digits that three volunteers have read.

cause: label-noise
family: mlp
metric: accuracy, higher
repair:
    - y_train = votes.mode(dim=0).values
    + y_train = y[train_rows]
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(19)

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
shuffled = torch.randperm(len(x))
train_rows, test_rows = shuffled[:1200], shuffled[1200:]

# what the volunteers typed
care = torch.tensor([0.3, 0.45, 0.5])
votes = torch.stack(
    [torch.where(torch.rand(1200) < c, y[train_rows], torch.randint(10, (1200,))) for c in care]
)
y_train = votes.mode(dim=0).values
loader = DataLoader(TensorDataset(x[train_rows], y_train), batch_size=32, shuffle=True)

model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(30):
    total, right = 0.0, 0
    for images, labels in loader:
        logits = model(images)
        loss = loss_fn(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
        right += (logits.argmax(1) == labels).sum().item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d}  loss {total / 1200:.4f}  train accuracy {right / 1200:.4f}")

with torch.no_grad():
    accuracy = (model(x[test_rows]).argmax(1) == y[test_rows]).float().mean().item()
print(f"metric: {accuracy:.4f}")
