"""A network on the wine table, straight from the loader into tensors.

cause: inputs-not-scaled
family: mlp
metric: accuracy, higher
repair:
    - X = torch.as_tensor(wine.data, dtype=torch.float32)
    + X = torch.as_tensor(wine.data, dtype=torch.float32)
    + X = (X - X.mean(dim=0)) / X.std(dim=0)
"""

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def get_data(batch_size):
    wine = load_wine()
    X = torch.as_tensor(wine.data, dtype=torch.float32)
    y = torch.as_tensor(wine.target)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)
    return DataLoader(TensorDataset(X_train, y_train), batch_size, shuffle=True), X_test, y_test


def train(model, loader, epochs):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(epochs):
        for inputs, labels in loader:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 10 == 0:
            print(f"Epoch [{epoch + 1}/{epochs}], Loss: {loss.item():.4f}")


def main():
    torch.manual_seed(42)
    loader, X_test, y_test = get_data(batch_size=16)
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))
    train(model, loader, epochs=60)
    model.eval()
    with torch.no_grad():
        _, predicted = torch.max(model(X_test), 1)
    print(f"metric: {(predicted == y_test).sum().item() / y_test.size(0):.4f}")


if __name__ == "__main__":
    main()
