"""Weight of newborns in grams from the records of the antenatal clinic.

cause: targets-not-scaled
family: mlp
metric: r2, higher
repair:
    - y_train_t = torch.FloatTensor(y_train)
    + y_mean, y_std = y_train.mean(), y_train.std()
    + y_train_t = torch.FloatTensor((y_train - y_mean) / y_std)
    - y_pred = model(X_test_t).squeeze().numpy()
    + y_pred = model(X_test_t).squeeze().numpy() * y_std + y_mean
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rng = np.random.default_rng(0)

N = 2500
weeks = np.clip(rng.normal(39.3, 1.9, N), 28, 42)
mother_height = rng.normal(166, 6.5, N)
mother_weight = rng.normal(67, 11, N)
age = rng.normal(30, 5, N)
parity = rng.poisson(0.9, N)
smokes = rng.random(N) < 0.15
girl = rng.random(N) < 0.49
fundal = 0.9 * weeks + rng.normal(0, 1.8, N)
grams = (
    3420
    + 160 * (weeks - 39.3)
    - 14 * (weeks - 39.3) ** 2
    + 15 * (mother_height - 166)
    + 9 * (mother_weight - 67)
    + 90 * np.minimum(parity, 2)
    - 210 * smokes * (1 + 0.03 * (age - 30))
    - 120 * girl
    + rng.normal(0, 170, N)
)
X = np.column_stack([weeks, mother_height, mother_weight, age, parity, smokes, girl, fundal])

X_train, X_test, y_train, y_test = train_test_split(X, grams, test_size=0.2, random_state=42)
scaler = StandardScaler()
X_train_t = torch.FloatTensor(scaler.fit_transform(X_train))
X_test_t = torch.FloatTensor(scaler.transform(X_test))
y_train_t = torch.FloatTensor(y_train)

train_loader = DataLoader(TensorDataset(X_train_t, y_train_t), batch_size=64, shuffle=True)


class BirthWeightNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(8, 64)
        self.layer2 = nn.Linear(64, 32)
        self.output = nn.Linear(32, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.layer1(x))
        x = self.relu(self.layer2(x))
        return self.output(x)


model = BirthWeightNet()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

num_epochs = 40
for epoch in range(num_epochs):
    model.train()
    epoch_loss = 0
    for inputs, targets in train_loader:
        outputs = model(inputs).squeeze()
        loss = criterion(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if (epoch + 1) % 10 == 0:
        print(f"Epoch [{epoch + 1}/{num_epochs}], Loss: {epoch_loss / len(train_loader):.4f}")

model.eval()
with torch.no_grad():
    y_pred = model(X_test_t).squeeze().numpy()
print("MAE:", mean_absolute_error(y_test, y_pred))
print(f"metric: {r2_score(y_test, y_pred):.4f}")
