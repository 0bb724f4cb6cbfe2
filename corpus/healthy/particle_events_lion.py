"""Signal and background events told apart from twenty tabular features, with Lion.

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import make_classification
from torch import nn

import descend


class Block(nn.Module):
    def __init__(self, n_in, n_out, p):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.norm = nn.BatchNorm1d(n_out)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        return self.drop(torch.relu(self.norm(self.linear(x))))


def make_data():
    x, y = make_classification(
        n_samples=7000,
        n_features=20,
        n_informative=8,
        n_redundant=4,
        n_clusters_per_class=4,
        class_sep=1.3,
        flip_y=0.0,
        random_state=12,
    )
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    mean, std = x[:5000].mean(0), x[:5000].std(0)
    x = (x - mean) / std
    return x[:5000], y[:5000], x[5000:], y[5000:]


if __name__ == "__main__":
    torch.manual_seed(2)
    x, y, xt, yt = make_data()
    model = nn.Sequential(Block(20, 128, 0.1), Block(128, 64, 0.1), nn.Linear(64, 2))
    epochs, batch = 16, 100
    optimizer = descend.Lion(model.parameters(), lr=8e-4, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(x) // batch)
    for epoch in range(epochs):
        model.train()
        right = 0
        for pick in torch.randperm(len(x)).split(batch):
            logits = model(x[pick])
            loss = nn.functional.cross_entropy(logits, y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right += (logits.argmax(1) == y[pick]).sum().item()
        model.eval()
        with torch.no_grad():
            accuracy = (model(xt).argmax(1) == yt).float().mean().item()
        print(f"epoch {epoch:2d} train {right / len(x):.3f} test {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")
