"""Whether a newsletter is opened, of which little can be known beforehand; logistic net with early stopping.

family: mlp
metric: ROC AUC, higher
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import log_loss, roc_auc_score
from torch.utils.data import DataLoader, TensorDataset


def newsletter(n, rng):
    hour = rng.integers(0, 24, n)
    weekday = rng.integers(0, 7, n)
    subject_len = rng.poisson(42, n)
    days_since = rng.exponential(20, n)
    opened_before = rng.beta(2, 5, n)
    mobile = rng.random(n) < 0.55
    emoji = rng.random(n) < 0.2
    logit = (
        -0.9
        + 1.6 * (opened_before - 0.28)
        - 0.012 * (days_since - 20)
        + 0.25 * np.cos((hour - 9) / 24 * 2 * np.pi)
        + 0.15 * (mobile & (hour > 18))
        - 0.006 * np.abs(subject_len - 40)
        - 0.2 * (weekday >= 5)
    )
    opened = rng.random(n) < 1 / (1 + np.exp(-logit))
    X = np.column_stack(
        [
            np.sin(hour / 24 * 2 * np.pi),
            np.cos(hour / 24 * 2 * np.pi),
            np.eye(7)[weekday],
            (subject_len - 42) / 6.5,
            np.log1p(days_since) - 2.6,
            (opened_before - 0.286) / 0.16,
            mobile,
            emoji,
        ]
    )
    return X.astype(np.float32), opened.astype(np.float32)


class OpenNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.hidden = nn.Linear(n_features, 32)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.dropout(torch.relu(self.hidden(x)))).squeeze(-1)


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.bad, self.state = patience, np.inf, 0, None

    def __call__(self, value, model):
        if value < self.best - 1e-5:
            self.best, self.bad = value, 0
            self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}
        else:
            self.bad += 1
        return self.bad >= self.patience


def probabilities(model, X):
    model.eval()
    with torch.no_grad():
        return torch.sigmoid(model(torch.from_numpy(X))).numpy()


if __name__ == "__main__":
    torch.manual_seed(99)
    rng = np.random.default_rng(99)
    (X, y), (X_val, y_val), (X_test, y_test) = (newsletter(n, rng) for n in (16000, 4000, 6000))
    loader = DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), batch_size=128, shuffle=True)
    model = OpenNet(X.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    stopper = EarlyStopping(patience=4)
    constant = log_loss(y_val, np.full(len(y_val), y.mean()))
    print(f"opened: {y.mean():.3f}; loss of that share alone: {constant:.4f}")
    for epoch in range(15):
        model.train()
        running = 0.0
        for xb, yb in loader:
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        p = probabilities(model, X_val)
        val_loss, auc = log_loss(y_val, p), roc_auc_score(y_val, p)
        print(f"epoch {epoch + 1:2d} train {running / len(loader):.4f} val {val_loss:.4f} auc {auc:.4f}")
        if stopper(val_loss, model):
            print("stopped")
            break
    model.load_state_dict(stopper.state)
    print(f"metric: {roc_auc_score(y_test, probabilities(model, X_test)):.4f}")
