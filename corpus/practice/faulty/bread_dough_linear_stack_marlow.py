"""Volume of a loaf from the baker's recipe and the conditions in the bakery.

cause: missing-activation
family: mlp
metric: R2, higher
repair:
    - x = self.fc2(x)
    - x = self.fc3(x)
    + x = torch.relu(self.fc2(torch.relu(x)))
    + x = torch.relu(self.fc3(x))
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def bakes(n=3500, seed=27):
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            rng.normal(0.66, 0.06, n),
            rng.gamma(4, 0.3, n),
            rng.normal(2.0, 0.3, n),
            rng.uniform(0.5, 5, n),
            rng.normal(23, 3, n),
            rng.normal(230, 12, n),
            rng.uniform(3, 20, n),
        ]
    )


def volume(t, rng):
    water, yeast, salt, proof_hours, room, oven, kneading = t.T
    rise = yeast * proof_hours * np.exp(0.08 * (room - 23))
    v = 1.8 * np.exp(-(((rise - 3.5) / 2.0) ** 2)) + 1.0
    v -= 25 * (water - 0.66) ** 2 + 0.15 * (salt - 2) ** 2
    v -= 0.0008 * (oven - 230) ** 2 - 0.4 * np.tanh((kneading - 8) / 4)
    return v + 0.08 * rng.normal(size=len(t))


class LoafNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 128)
        self.fc2 = nn.Linear(128, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, 1)

    def forward(self, x):
        x = self.fc1(x)
        x = self.fc2(x)
        x = self.fc3(x)
        return self.fc4(x)


def tensors(table, y):
    return torch.tensor(table, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]


def main():
    torch.manual_seed(27)
    table = bakes()
    y = volume(table, np.random.default_rng(28))
    train, test, y_train, y_test = train_test_split(table, y, test_size=0.2, random_state=27)
    mean, std = train.mean(0), train.std(0)
    x_train, t_train = tensors((train - mean) / std, y_train)
    x_test, t_test = tensors((test - mean) / std, y_test)
    model = LoafNet(table.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.MSELoss()
    loader = DataLoader(TensorDataset(x_train, t_train), batch_size=32, shuffle=True)
    for epoch in range(15):
        model.train()
        train_loss = 0.0
        for xb, yb in loader:
            pred = model(xb)
            loss = loss_fn(pred, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(xb)
        model.eval()
        with torch.no_grad():
            test_loss = loss_fn(model(x_test), t_test).item()
        print(f"epoch {epoch + 1}: train loss {train_loss / len(x_train):.4f}, test loss {test_loss:.4f}")
    print(f"metric: {1 - test_loss / t_test.var(correction=0).item():.4f}")


if __name__ == "__main__":
    main()
