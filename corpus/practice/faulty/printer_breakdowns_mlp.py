"""Office printers that break down within a week, from their counters and error logs.

cause: class-imbalance
family: mlp
metric: balanced accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=(1 - y_train).sum() / y_train.sum())
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

SEED = 2023
np.random.seed(SEED)
torch.manual_seed(SEED)

# ---- data -------------------------------------------------------------------------------------------
n = 9000
pages = np.random.lognormal(6, 0.8, n)
age = np.random.exponential(900, n)
jams = np.random.poisson(0.4 + pages / 1500)
fuser_temp = np.random.normal(180, 6, n)
humidity = np.random.uniform(20, 80, n)
toner = np.random.uniform(0, 100, n)
visits = np.random.poisson(1.5, n)
X = np.column_stack([pages, age, jams, fuser_temp, humidity, toner, visits])
risk = 0.9 * np.log(pages / 400) + age / 900 + 0.5 * jams + 0.01 * (fuser_temp - 180) ** 2
risk += 0.03 * np.maximum(humidity - 55, 0) - 0.3 * visits + np.random.logistic(0, 0.8, n)
y = (risk > np.quantile(risk, 0.965)).astype(np.float32)

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.tensor(scaler.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train)
train_dl = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)

# ---- model ------------------------------------------------------------------------------------------
model = nn.Sequential(
    nn.Linear(X.shape[1], 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(32, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

# ---- training ---------------------------------------------------------------------------------------
for epoch in range(15):
    model.train()
    epoch_loss, epoch_acc = 0.0, 0.0
    for xb, yb in train_dl:
        optimizer.zero_grad()
        logits = model(xb).squeeze(1)
        loss = criterion(logits, yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
        epoch_acc += ((logits > 0) == (yb > 0.5)).float().mean().item()
    print(
        f"Epoch {epoch + 1:02d} | loss {epoch_loss / len(train_dl):.5f} | acc {epoch_acc / len(train_dl):.3f}"
    )

# ---- evaluation -------------------------------------------------------------------------------------
model.eval()
with torch.no_grad():
    predicted = (model(X_test).squeeze(1) > 0).numpy()
print(confusion_matrix(y_test, predicted))
print(f"metric: {balanced_accuracy_score(y_test, predicted):.4f}")
