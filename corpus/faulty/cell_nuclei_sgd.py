"""Breast cancer diagnosis from cell nuclei, a small network with Nesterov momentum.

cause: momentum-too-high
family: mlp
metric: cross entropy, lower
repair:
    - momentum = 0.995
    + momentum = 0.9
"""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

lr = 0.02
momentum = 0.995
batch_size = 32
epochs = 25

torch.manual_seed(101)
data = load_breast_cancer()
X_train, X_val, y_train, y_val = train_test_split(
    data.data, data.target, test_size=0.3, random_state=101, stratify=data.target
)
pipe = make_pipeline(StandardScaler()).fit(X_train)
X_train, X_val = torch.tensor(pipe.transform(X_train)).float(), torch.tensor(pipe.transform(X_val)).float()
y_train, y_val = torch.tensor(y_train).float(), torch.tensor(y_val).float()

model = nn.Sequential(nn.Linear(30, 24), nn.SiLU(), nn.Dropout(0.2), nn.Linear(24, 1), nn.Flatten(0))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, nesterov=True, weight_decay=1e-3)

for epoch in range(epochs):
    model.train()
    for rows in torch.randperm(len(X_train)).split(batch_size):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = criterion(model(X_val), y_val).item()
    print(f"{epoch:3d}  train {loss.item():.4f}  val {val:.4f}")

print(f"metric: {val:.5f}")
