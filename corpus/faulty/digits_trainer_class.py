"""A multilayer perceptron on handwritten digits, trained by a small trainer class.

cause: missing-zero-grad
family: mlp
metric: accuracy, higher
repair:
    - loss.backward()
    + self.optimizer.zero_grad()
    + loss.backward()
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model, optimizer, criterion):
        self.model = model
        self.optimizer = optimizer
        self.criterion = criterion
        self.history = []

    def _step(self, batch):
        inputs, labels = batch
        loss = self.criterion(self.model(inputs), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self._step(batch) for batch in loader]
            self.history.append(sum(losses) / len(losses))
            if epoch % 5 == 0 or epoch == epochs - 1:
                print(f"epoch {epoch:3d}  loss {self.history[-1]:.4f}")

    @torch.no_grad()
    def score(self, loader):
        self.model.eval()
        right = total = 0
        for inputs, labels in loader:
            right += (self.model(inputs).argmax(1) == labels).sum().item()
            total += len(labels)
        return right / total


def main():
    torch.manual_seed(7)
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=7, stratify=y)
    train = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(x_test, y_test), batch_size=256)

    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss())
    trainer.fit(train, epochs=25)
    print(f"metric: {trainer.score(test):.4f}")


if __name__ == "__main__":
    main()
