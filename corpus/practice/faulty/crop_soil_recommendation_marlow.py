"""Which of eight crops suits a field, from its soil and climate.

cause: softmax-before-cross-entropy
family: mlp
metric: log loss, lower
repair:
    - return F.softmax(self.head(h), dim=-1)
    + return self.head(h)
    - probabilities = model(X_test)
    + probabilities = F.softmax(model(X_test), dim=-1)
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CROPS = ["rice", "maize", "chickpea", "lentil", "cotton", "jute", "coffee", "millet"]


def fields(n=4000, seed=31):
    """Nitrogen, phosphorus, potassium, temperature, humidity, acidity and rain."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(0, 1.0, (len(CROPS), 2, 7))
    crop = rng.integers(len(CROPS), size=n)
    kind = rng.integers(2, size=n)
    x = centre[crop, kind] + 0.55 * rng.normal(size=(n, 7))
    x = x * [35, 30, 45, 5, 20, 0.8, 50] + [50, 53, 48, 25, 70, 6.5, 100]
    return x, crop


class CropNet(nn.Module):
    def __init__(self, n_features, n_classes, width=64):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(n_features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, n_classes)

    def forward(self, x):
        h = self.inner(x)
        return F.softmax(self.head(h), dim=-1)


X, y = fields()
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, test_size=0.2, random_state=31)
scaler = StandardScaler()
X_train = torch.tensor(scaler.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
torch.manual_seed(31)
loader = DataLoader(TensorDataset(X_train, torch.tensor(y_train)), batch_size=32, shuffle=True)
model = CropNet(7, len(CROPS))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
criterion = nn.CrossEntropyLoss()

for epoch in range(1, 16):
    model.train()
    running = 0.0
    for xb, yb in loader:
        loss = criterion(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        probabilities = model(X_test)
    accuracy = accuracy_score(y_test, probabilities.argmax(1))
    print(f"epoch {epoch:2d}  loss {running / len(loader):.4f}  accuracy {accuracy:.4f}")

p = probabilities.double().numpy()
print(f"metric: {log_loss(y_test, p / p.sum(1, keepdims=True)):.4f}")
