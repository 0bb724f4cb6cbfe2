"""Which subscribers leave a newsletter: a small table with many weak columns, a network with dropout.

cause: training-in-eval-mode
begins: 43
family: mlp
metric: held-out log loss, lower
repair:
    - def fit(self, train, valid, epochs):
    - self.net.train()
    + def fit(self, train, valid, epochs):
    - for x, y in train:
    + self.net.train()
    + for x, y in train:
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def table(n, columns=60, seed=3):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 8))
    x = hidden @ rng.normal(size=(8, columns)) * 0.4 + rng.normal(size=(n, columns))
    score = 1.5 * hidden[:, 0] - 0.9 * hidden[:, 1] + 0.8 * hidden[:, 2] * hidden[:, 3]
    y = rng.random(n) < 1 / (1 + np.exp(-score))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class ChurnNet(nn.Module):
    def __init__(self, columns, width=160, p=0.6):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.layers(x).squeeze(-1)


class Trainer:
    def __init__(self, net, lr=1e-3):
        self.net = net
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr, weight_decay=1e-5)
        self.criterion = nn.BCEWithLogitsLoss()

    def fit(self, train, valid, epochs):
        self.net.train()
        for epoch in range(1, epochs + 1):
            total = 0.0
            for x, y in train:
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            log_loss, auc = self.validate(valid)
            if epoch % 5 == 0:
                print(f"epoch {epoch} loss {total / len(train):.4f} valid {log_loss:.4f} auc {auc:.4f}")
        return log_loss

    @torch.no_grad()
    def validate(self, loader):
        self.net.eval()
        logits = torch.cat([self.net(x) for x, _ in loader])
        targets = torch.cat([y for _, y in loader])
        return self.criterion(logits, targets).item(), roc_auc_score(targets, logits)


if __name__ == "__main__":
    torch.manual_seed(3)
    x, y = table(2344)
    train = DataLoader(TensorDataset(x[:1344], y[:1344]), batch_size=32, shuffle=True)
    valid = DataLoader(TensorDataset(x[1344:], y[1344:]), batch_size=250)
    trainer = Trainer(ChurnNet(x.shape[1]))
    result = trainer.fit(train, valid, epochs=25)
    print(f"metric: {result:.4f}")
