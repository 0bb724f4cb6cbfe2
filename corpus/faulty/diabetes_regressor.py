"""A small network that predicts the progression of diabetes.

cause: loss-broadcast
family: mlp
metric: r2, higher
repair:
    - loss = loss_fn(model(xb), yb)
    + loss = loss_fn(model(xb).squeeze(-1), yb)
"""

import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


class Diabetes(Dataset):
    def __init__(self, features, target):
        self.features = torch.as_tensor(features, dtype=torch.float32)
        self.target = torch.as_tensor(target, dtype=torch.float32)

    def __len__(self):
        return len(self.target)

    def __getitem__(self, i):
        return self.features[i], self.target[i]


torch.manual_seed(0)
features, target = load_diabetes(return_X_y=True)
target = (target - target.mean()) / target.std()
f_train, f_test, t_train, t_test = train_test_split(features, target, test_size=0.25, random_state=0)
scaler = StandardScaler().fit(f_train)
train_loader = DataLoader(Diabetes(scaler.transform(f_train), t_train), batch_size=32, shuffle=True)
test_set = Diabetes(scaler.transform(f_test), t_test)

model = nn.Sequential(nn.Linear(10, 16), nn.ELU(), nn.Dropout(0.2), nn.Linear(16, 1))
loss_fn = nn.MSELoss()
opt = optim.NAdam(model.parameters(), lr=2e-3, weight_decay=1e-3)

for epoch in range(40):
    model.train()
    epoch_loss = 0.0
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        epoch_loss += loss.item() * len(xb)
    if epoch % 8 == 7:
        print("epoch", epoch + 1, "mse", round(epoch_loss / len(t_train), 4))

model.eval()
with torch.no_grad():
    prediction = model(test_set.features).squeeze(-1)
print("metric:", round(r2_score(test_set.target.numpy(), prediction.numpy()), 4))
