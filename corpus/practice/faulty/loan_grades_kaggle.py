"""Grades A to D of consumer loans, a Kaggle-like table.

cause: inputs-not-scaled
family: mlp
metric: accuracy, higher
repair:
    - X_train, X_valid = df[FEATURES].values[:4000], df[FEATURES].values[4000:]
    + X_train, X_valid = df[FEATURES].values[:4000], df[FEATURES].values[4000:]
    + X_valid = (X_valid - X_train.mean(0)) / X_train.std(0)
    + X_train = (X_train - X_train.mean(0)) / X_train.std(0)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 2023
FEATURES = ["annual_income", "loan_amount", "term_months", "emp_years"]
FEATURES += ["dti", "open_accounts", "fico", "utilisation"]


class Frame(dict):
    """Just enough of a data frame."""

    def __getitem__(self, key):
        if isinstance(key, list):
            return Frame({name: dict.__getitem__(self, name) for name in key})
        return dict.__getitem__(self, key)

    @property
    def values(self):
        return np.stack(list(dict.values(self)), axis=1)


def read_loans(n=5000):
    rng = np.random.default_rng(SEED)
    df = Frame()
    df["annual_income"] = np.exp(rng.normal(10.9, 0.55, n))
    df["loan_amount"] = np.round(rng.uniform(1000, 40000, n), -2)
    df["term_months"] = rng.choice([36.0, 60.0], n)
    df["emp_years"] = rng.integers(0, 11, n).astype(float)
    df["dti"] = rng.gamma(4, 4.5, n)
    df["open_accounts"] = rng.poisson(11, n).astype(float)
    df["fico"] = rng.normal(698, 32, n).clip(600, 850)
    df["utilisation"] = rng.beta(2, 2, n)
    score = (df["fico"] - 698) / 32 - 1.1 * (df["term_months"] == 60) - 2.2 * (df["utilisation"] - 0.5)
    score = score - 0.05 * (df["dti"] - 18) + 0.06 * (df["emp_years"] - 5)
    score = score - 1.2 * np.log(df["loan_amount"] / df["annual_income"]).clip(-3, 1) - 1.5
    score = score + rng.normal(0, 0.25, n)
    df["grade"] = np.digitize(-score, np.quantile(-score, [0.25, 0.55, 0.8]))
    return df


torch.manual_seed(SEED)
df = read_loans()
X_train, X_valid = df[FEATURES].values[:4000], df[FEATURES].values[4000:]
y_train, y_valid = df["grade"][:4000], df["grade"][4000:]

train_ds = TensorDataset(torch.FloatTensor(X_train), torch.LongTensor(y_train))
valid_ds = TensorDataset(torch.FloatTensor(X_valid), torch.LongTensor(y_valid))
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True)
valid_dl = DataLoader(valid_ds, batch_size=500)


class LoanNet(nn.Module):
    def __init__(self, n_in, n_hidden=128, n_out=4, p=0.1):
        super().__init__()
        self.fc1 = nn.Linear(n_in, n_hidden)
        self.fc2 = nn.Linear(n_hidden, n_hidden)
        self.out = nn.Linear(n_hidden, n_out)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        x = self.drop(torch.relu(self.fc1(x)))
        x = self.drop(torch.relu(self.fc2(x)))
        return self.out(x)


model = LoanNet(len(FEATURES))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_func = nn.CrossEntropyLoss()


def loss_batch(xb, yb, opt=None):
    out = model(xb)
    loss = loss_func(out, yb)
    if opt is not None:
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item(), (out.argmax(1) == yb).sum().item(), len(xb)


for epoch in range(20):
    model.train()
    train_loss = np.mean([loss_batch(xb, yb, opt)[0] for xb, yb in train_dl])
    model.eval()
    with torch.no_grad():
        losses, hits, nums = zip(*[loss_batch(xb, yb) for xb, yb in valid_dl], strict=True)
    acc = sum(hits) / sum(nums)
    if epoch % 4 == 3:
        print(epoch, f"train {train_loss:.4f}", f"valid {np.mean(losses):.4f}", f"acc {acc:.4f}")

print(f"metric: {acc:.4f}")
