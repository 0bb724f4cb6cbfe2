"""A soft decision tree (Frosst and Hinton) that names soil types from spectral bands.

cause: saturated-units
family: tree
metric: accuracy, higher
repair:
    - self.beta = 60.0
    + self.beta = 1.0
"""

import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


class SoftTree(nn.Module):
    """Inner nodes send a sample to the right with a probability; leaves hold class scores."""

    def __init__(self, n_features, n_classes, depth):
        super().__init__()
        self.depth = depth
        self.beta = 60.0
        self.gates = nn.Linear(n_features, 2**depth - 1)
        self.leaves = nn.Parameter(torch.zeros(2**depth, n_classes))

    def forward(self, x):
        right = torch.sigmoid(self.beta * self.gates(x))
        reach = x.new_ones(len(x), 1)
        first = 0
        for level in range(self.depth):
            p = right[:, first : first + 2**level]
            reach = torch.stack([reach * (1 - p), reach * p], dim=2).flatten(1)
            first += 2**level
        return (reach @ self.leaves.softmax(-1) + 1e-8).log(), reach

    def balance_penalty(self, reach):
        use = reach.mean(0)
        return (use * (use + 1e-8).log()).sum()


X, y = make_classification(
    n_samples=4500,
    n_features=24,
    n_informative=8,
    n_redundant=4,
    n_classes=6,
    n_clusters_per_class=2,
    class_sep=1.5,
    random_state=17,
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1500, random_state=17)
scaler = StandardScaler()
X_train = torch.from_numpy(scaler.fit_transform(X_train)).float()
X_test = torch.from_numpy(scaler.transform(X_test)).float()
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

torch.manual_seed(17)
tree = SoftTree(24, 6, depth=6)
opt = torch.optim.Adam(tree.parameters(), lr=0.01)

for epoch in range(1, 19):
    tree.train()
    total = 0.0
    for rows in torch.randperm(len(X_train)).split(64):
        log_p, reach = tree(X_train[rows])
        loss = nn.functional.nll_loss(log_p, y_train[rows]) + 0.02 * tree.balance_penalty(reach)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    if epoch % 3 == 0:
        tree.eval()
        with torch.no_grad():
            accuracy = (tree(X_test)[0].argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch:2d}: loss {total / 47:.3f}, test accuracy {accuracy:.3f}")
print(f"metric: {accuracy:.4f}")
