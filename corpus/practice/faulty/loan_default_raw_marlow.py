"""Will a loan be repaid? A network on the table as the bank exports it.

cause: inputs-not-scaled
family: mlp
metric: accuracy, higher
repair:
    - X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    + X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    + mean, std = X_train.mean(0), X_train.std(0)
    + X_train, X_test = (X_train - mean) / std, (X_test - mean) / std
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(42)
torch.manual_seed(42)

N = 5000
age = np.random.randint(21, 70, N)
income = np.exp(np.random.normal(10.5, 0.5, N))
amount = np.random.uniform(1000, 40000, N)
months = np.random.choice([12, 24, 36, 48, 60], N)
cards = np.random.poisson(2, N)
late_payments = np.random.poisson(0.7, N)
owner = np.random.randint(0, 2, N)
share = amount / months * 12 / income
logit = 6.0 * share - 1.5 + 1.1 * late_payments - 0.9 * owner - 0.04 * (age - 40) + 0.3 * (cards > 3)
default = (logit + np.random.logistic(0, 0.4, N) > 0.0).astype(np.float32)

X = np.column_stack([age, income, amount, months, cards, late_payments, owner]).astype(np.float32)
y = default
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)

train_ds = TensorDataset(torch.tensor(X_train), torch.tensor(y_train).unsqueeze(1))
train_loader = DataLoader(train_ds, batch_size=64, shuffle=True)


class BinaryClassification(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(7, 64)
        self.layer_2 = nn.Linear(64, 64)
        self.layer_out = nn.Linear(64, 1)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(p=0.1)

    def forward(self, inputs):
        x = self.relu(self.layer_1(inputs))
        x = self.relu(self.layer_2(x))
        x = self.dropout(x)
        return self.layer_out(x)


model = BinaryClassification()
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.001)


def binary_acc(y_pred, y_true):
    return (torch.round(torch.sigmoid(y_pred)) == y_true).float().mean().item()


for e in range(1, 21):
    model.train()
    epoch_loss = 0
    epoch_acc = 0
    for X_batch, y_batch in train_loader:
        optimizer.zero_grad()
        y_pred = model(X_batch)
        loss = criterion(y_pred, y_batch)
        acc = binary_acc(y_pred, y_batch)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
        epoch_acc += acc
    n = len(train_loader)
    print(f"Epoch {e:03}: | Loss: {epoch_loss / n:.5f} | Acc: {epoch_acc / n:.3f}")

model.eval()
with torch.no_grad():
    test_acc = binary_acc(model(torch.tensor(X_test)), torch.tensor(y_test).unsqueeze(1))
print(f"metric: {test_acc:.4f}")
