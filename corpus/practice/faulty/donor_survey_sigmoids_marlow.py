"""Who will donate again? A deep network on a survey's answers.

cause: vanishing-gradients
family: mlp
metric: accuracy, higher
repair:
    - x = torch.sigmoid(layer(x))
    + x = torch.relu(layer(x))
"""

import itertools

import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

X, y = make_classification(
    n_samples=5000, n_features=24, n_informative=8, n_redundant=4, n_clusters_per_class=3, class_sep=1.6,
    flip_y=0.02, random_state=7,
)  # fmt: skip
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=7)
sc = StandardScaler()
X_train = torch.from_numpy(sc.fit_transform(X_train)).float()
X_test = torch.from_numpy(sc.transform(X_test)).float()
y_train = torch.from_numpy(y_train).float()
y_test = torch.from_numpy(y_test).float()


class DonorNet(nn.Module):
    def __init__(self, n_in, width=64, depth=7):
        super().__init__()
        sizes = [n_in] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.output = nn.Linear(width, 1)

    def forward(self, x):
        for layer in self.hidden:
            x = torch.sigmoid(layer(x))
        return self.output(x).squeeze(-1)


torch.manual_seed(7)
net = DonorNet(X.shape[1])
loss_fn = nn.BCEWithLogitsLoss()
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
batch = 50

for epoch in range(16):
    net.train()
    perm = torch.randperm(len(X_train))
    total = 0
    for i in range(0, len(perm), batch):
        idx = perm[i : i + batch]
        opt.zero_grad()
        loss = loss_fn(net(X_train[idx]), y_train[idx])
        loss.backward()
        opt.step()
        total += loss.item()
    net.eval()
    with torch.no_grad():
        acc = ((net(X_test) > 0).float() == y_test).float().mean().item()
    if epoch % 3 == 0 or epoch == 15:
        print("epoch", epoch, "loss", round(total / (len(perm) / batch), 4), "test acc", round(acc, 4))

print(f"metric: {acc:.4f}")
