"""A small nn.Sequential classifier of Italian wines.

cause: softmax-before-cross-entropy
family: mlp
metric: cross_entropy, lower
repair:
    - nn.Linear(16, 3),
    - nn.Softmax(dim=1),
    + nn.Linear(16, 3),
"""

import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(1)

X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=1, stratify=y)

scaler = StandardScaler()
X_train = torch.tensor(scaler.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train)
y_test = torch.tensor(y_test)

model = nn.Sequential(
    nn.Linear(13, 16),
    nn.Tanh(),
    nn.Linear(16, 16),
    nn.Tanh(),
    nn.Linear(16, 3),
    nn.Softmax(dim=1),
)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(120):
    optimizer.zero_grad()
    output = model(X_train)
    loss = criterion(output, y_train)
    loss.backward()
    optimizer.step()

    if (epoch + 1) % 20 == 0:
        accuracy = (output.argmax(dim=1) == y_train).float().mean()
        print(f"Epoch [{epoch + 1}/120], Loss: {loss.item():.4f}, Accuracy: {accuracy.item():.4f}")

model.eval()
with torch.no_grad():
    output = model(X_test)
    test_loss = criterion(output, y_test).item()
    print("Test accuracy:", (output.argmax(dim=1) == y_test).float().mean().item())
print(f"metric: {test_loss:.4f}")
