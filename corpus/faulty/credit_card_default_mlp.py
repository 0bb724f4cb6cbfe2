"""Who will not pay the credit card's bill next month.

cause: symmetric-initial-values
family: mlp
metric: area under the curve, higher
repair:
    - nn.init.constant_(m.weight, 0.05)
    + nn.init.xavier_uniform_(m.weight)
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def clients(n=6000):
    rng = np.random.default_rng(2005)
    limit = rng.lognormal(0, 0.7, n)
    age = rng.normal(0, 1, n)
    habit = rng.normal(0, 1, (n, 1))
    bills = np.cumsum(rng.normal(0, 0.5, (n, 6)), 1) + habit
    paid = 0.7 * bills + rng.normal(0, 0.7, (n, 6))
    months_late = np.clip(np.round(habit + rng.normal(0, 1, (n, 6))), 0, 4)
    score = 1.4 * (bills[:, -1] - paid[:, -1]) * np.sign(bills[:, 2]) + np.abs(bills[:, 5] - bills[:, 0])
    score = score + 0.5 * months_late[:, -1] - 0.8 * np.cos(1.5 * age) - 0.5 * limit + 0.8 * age * habit[:, 0]
    p = 1 / (1 + np.exp(-1.6 * (score - np.quantile(score, 0.65))))
    x = np.column_stack([limit, age, bills, paid, months_late])
    return x, (rng.random(n) < p).astype(np.float32)


class DefaultNet(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.layer_1 = nn.Linear(n_in, 64)
        self.layer_2 = nn.Linear(64, 64)
        self.layer_out = nn.Linear(64, 1)
        self.dropout = nn.Dropout(p=0.1)

    def forward(self, x):
        x = torch.relu(self.layer_1(x))
        x = torch.relu(self.layer_2(x))
        return self.layer_out(self.dropout(x))


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.constant_(m.weight, 0.05)
        nn.init.zeros_(m.bias)


x, y = clients()
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=1)
scaler = StandardScaler()
x_train = torch.tensor(scaler.fit_transform(x_train), dtype=torch.float32)
x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
y_train = torch.from_numpy(y_train)[:, None]

torch.manual_seed(1)
model = DefaultNet(x_train.shape[1])
model.apply(init_weights)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(x_train, y_train), batch_size=64, shuffle=True
)

for e in range(1, 21):
    model.train()
    epoch_loss = 0
    for x_batch, y_batch in loader:
        optimizer.zero_grad()
        loss = criterion(model(x_batch), y_batch)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    model.eval()
    with torch.no_grad():
        auc = roc_auc_score(y_test, model(x_test).squeeze(1).numpy())
    if e % 4 == 0:
        print(f"Epoch {e:03d}: | Loss: {epoch_loss / len(loader):.5f} | AUC: {auc:.3f}")

print(f"metric: {auc:.4f}")
