"""Which patients will be admitted with heart failure within a year: few are, and much of it is chance.

family: mlp
metric: area under the ROC curve, higher
"""

import copy

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

rng = np.random.default_rng(78)
torch.manual_seed(78)

n = 9000
age = rng.normal(62, 12, n)
ejection = np.clip(rng.normal(55, 9, n), 15, 75)
creatinine = rng.lognormal(0.0, 0.35, n)
sodium = rng.normal(139, 3, n)
pressure = rng.normal(135, 18, n)
diabetes = (rng.random(n) < 0.2 + 0.004 * (age - 60)).astype(float)
smoker = (rng.random(n) < 0.25).astype(float)
noise_columns = rng.normal(0, 1, (n, 6))
logit = -2.3 + 0.05 * (age - 62) - 0.07 * (ejection - 55) + 0.9 * np.log(creatinine) - 0.08 * (sodium - 139)
logit += 0.5 * diabetes + 0.4 * smoker + 0.0006 * (pressure - 130) ** 2
admitted = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float32)
X = np.column_stack([age, ejection, creatinine, sodium, pressure, diabetes, smoker, noise_columns])
X = (X - X[:6000].mean(0)) / X[:6000].std(0)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(admitted)[:, None]
train, valid, test = slice(0, 6000), slice(6000, 7500), slice(7500, None)

model = nn.Sequential(
    nn.Linear(13, 32),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(32, 16),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(16, 1),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
criterion = nn.BCEWithLogitsLoss()


def auc(part):
    model.eval()
    with torch.no_grad():
        return roc_auc_score(y[part].numpy(), model(X[part]).numpy())


best, best_state, waited = 0.0, None, 0
for epoch in range(40):
    model.train()
    order = torch.randperm(6000)
    for rows in order.split(100):
        optimizer.zero_grad()
        loss = criterion(model(X[train][rows]), y[train][rows])
        loss.backward()
        optimizer.step()
    score = auc(valid)
    print(f"epoch {epoch}: validation AUC {score:.4f}")
    if score > best:
        best, best_state, waited = score, copy.deepcopy(model.state_dict()), 0
    else:
        waited += 1
        if waited == 6:
            break

model.load_state_dict(best_state)
print(f"metric: {auc(test):.4f}")
