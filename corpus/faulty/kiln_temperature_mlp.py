"""The temperature deep inside a kiln from the readings at its wall.

cause: dead-units
family: mlp
metric: R², higher
repair:
    - return F.relu(self.out(x)).squeeze(1)
    + return self.out(x).squeeze(1)
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_friedman2
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn, optim


class KilnNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.relu(self.fc3(x))
        return F.relu(self.out(x)).squeeze(1)


def prepare():
    X, y = make_friedman2(n_samples=4000, noise=30, random_state=9)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=9)
    inputs, outputs = StandardScaler().fit(X_train), MinMaxScaler().fit(y_train[:, None])
    as_tensor = lambda a: torch.tensor(a, dtype=torch.float32)  # noqa: E731
    return (
        as_tensor(inputs.transform(X_train)),
        as_tensor(inputs.transform(X_test)),
        as_tensor(outputs.transform(y_train[:, None])[:, 0]),
        as_tensor(outputs.transform(y_test[:, None])[:, 0]),
    )


def main():
    torch.manual_seed(3)
    X_train, X_test, y_train, y_test = prepare()
    net = KilnNet(X_train.shape[1])
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    mse = nn.MSELoss()
    batch = 40
    for epoch in range(20):
        net.train()
        order = torch.randperm(len(X_train))
        for start in range(0, len(order), batch):
            idx = order[start : start + batch]
            loss = mse(net(X_train[idx]), y_train[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 2 == 1:
            net.eval()
            with torch.no_grad():
                val = mse(net(X_test), y_test).item()
            print(f"epoch {epoch + 1}, batch loss {loss.item():.5f}, validation loss {val:.5f}")
    with torch.no_grad():
        print(f"metric: {r2_score(y_test.numpy(), net(X_test).numpy()):.4f}")


if __name__ == "__main__":
    main()
