"""The strength of cement after some days, from its mixture.

cause: loss-broadcast
family: mlp
metric: R², higher
repair:
    - loss = criterion(outputs, batch_y)
    + loss = criterion(outputs.squeeze(-1), batch_y)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class MixtureDataset(Dataset):
    def __init__(self, features, strength):
        self.features = torch.as_tensor(features, dtype=torch.float32)
        self.strength = torch.as_tensor(strength, dtype=torch.float32)

    def __len__(self):
        return len(self.strength)

    def __getitem__(self, idx):
        return self.features[idx], self.strength[idx]


def mixtures(n, seed=28):
    rng = np.random.default_rng(seed)
    cement, slag, ash = rng.uniform(150, 500, n), rng.gamma(1, 70, n), rng.gamma(1, 50, n)
    water, additive = rng.normal(180, 20, n), rng.gamma(1.5, 4, n)
    coarse, fine = rng.normal(970, 75, n), rng.normal(770, 80, n)
    days = rng.choice([3, 7, 14, 28, 56, 90], n)
    binder = cement + 0.7 * slag + 0.4 * ash
    strength = 28 * (binder / water) ** 0.9 * np.log1p(days) / np.log1p(28) + 0.4 * additive
    strength = strength + rng.normal(0, 3, n)
    x = np.column_stack([cement, slag, ash, water, additive, coarse, fine, np.log(days)])
    return (x - x.mean(0)) / x.std(0), (strength - strength.mean()) / strength.std()


class StrengthNet(nn.Module):
    def __init__(self, input_size=8, hidden_size=96):
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.fc2 = nn.Linear(hidden_size, hidden_size // 2)
        self.fc3 = nn.Linear(hidden_size // 2, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


def train_model(model, loader, criterion, optimizer, num_epochs):
    for epoch in range(num_epochs):
        model.train()
        running_loss = 0.0
        for batch_x, batch_y in loader:
            outputs = model(batch_x)
            loss = criterion(outputs, batch_y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * batch_x.size(0)
        print(f"Epoch [{epoch + 1}/{num_epochs}], Loss: {running_loss / len(loader.dataset):.4f}")


def r2(model, data):
    model.eval()
    with torch.no_grad():
        residual = data.strength - model(data.features).flatten()
    return 1 - residual.pow(2).mean().item() / data.strength.var().item()


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore")
    torch.manual_seed(28)
    x, y = mixtures(4000)
    train_data, test_data = MixtureDataset(x[:3200], y[:3200]), MixtureDataset(x[3200:], y[3200:])
    model = StrengthNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    train_model(model, DataLoader(train_data, batch_size=32, shuffle=True), nn.MSELoss(), optimizer, 18)
    print(f"metric: {r2(model, test_data):.4f}")
