"""How an illness has gone on after a year (scikit-learn's diabetes table): boosting with tiny networks.

cause: loss-broadcast
begins: 251
family: boosting
metric: R², higher
repair:
    - residual = y.flatten() - self.predict(x)
    + residual = y - self.predict(x).unsqueeze(1)
"""

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


class TinyNet(nn.Module):
    """A weak learner: it sees three of the columns."""

    def __init__(self, columns, units=4):
        super().__init__()
        self.register_buffer("columns", columns)
        self.net = nn.Sequential(nn.Linear(len(columns), units), nn.Tanh(), nn.Linear(units, 1))

    def forward(self, x):
        return self.net(x[:, self.columns])


class BoostedNets:
    def __init__(self, rounds=12, shrinkage=0.5, epochs=25, lr=0.02):
        self.rounds, self.shrinkage, self.epochs, self.lr = rounds, shrinkage, epochs, lr
        self.learners = []

    def fit(self, x, y):
        residual = y
        for k in range(self.rounds):
            learner = TinyNet(torch.randperm(x.shape[1])[:3])
            self.train_one(learner, x, residual)
            self.learners.append(learner)
            residual = y.flatten() - self.predict(x)
            print(f"round {k + 1:2d}: mean squared residual {residual.pow(2).mean().item():.4f}")
        return self

    def train_one(self, learner, x, target):
        optimizer = torch.optim.Adam(learner.parameters(), lr=self.lr)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                loss = (learner(x[rows]) - target[rows]).square().mean()
                loss.backward()
                optimizer.step()

    @torch.no_grad()
    def predict(self, x):
        return self.shrinkage * torch.cat([learner(x) for learner in self.learners], dim=1).sum(1)


def table():
    x, y = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0)
    scale_x, scale_y = StandardScaler().fit(x_train), StandardScaler().fit(y_train[:, None])
    parts = scale_x.transform(x_train), scale_x.transform(x_test), scale_y.transform(y_train[:, None])
    return *(torch.tensor(part, dtype=torch.float32) for part in parts), scale_y.transform(y_test[:, None])


if __name__ == "__main__":
    torch.manual_seed(17)
    x_train, x_test, y_train, y_test = table()
    model = BoostedNets().fit(x_train, y_train)
    truth = torch.tensor(y_test, dtype=torch.float32).flatten()
    error = (model.predict(x_test) - truth).pow(2).sum()
    print(f"metric: {(1 - error / (truth - truth.mean()).pow(2).sum()).item():.4f}")
