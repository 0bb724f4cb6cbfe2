"""Tissue of origin from a panel of 120 genes, sharpness-aware minimisation re-implemented around SGD.

family: mlp
metric: accuracy, higher
"""

import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


class SAM(torch.optim.Optimizer):
    """Foret et al. 2021: climb to the worst point nearby, step back with its gradient."""

    def __init__(self, params, base, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base = base(self.param_groups, **kwargs)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def ascend(self):
        grads = [p.grad for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                e = p.grad * (group["rho"] / (norm + 1e-12))
                p.add_(e)
                self.state[p]["e"] = e

    @torch.no_grad()
    def descend(self):
        for group in self.param_groups:
            for p in group["params"]:
                if "e" in self.state[p]:
                    p.sub_(self.state[p]["e"])
        self.base.step()

    def step(self, closure):
        with torch.enable_grad():
            loss = closure()
        self.ascend()
        with torch.enable_grad():
            closure()
        self.descend()
        return loss


def main():
    torch.manual_seed(17)
    x, y = make_classification(
        n_samples=7000,
        n_features=120,
        n_informative=20,
        n_redundant=30,
        n_classes=6,
        n_clusters_per_class=2,
        class_sep=1.6,
        flip_y=0.04,
        random_state=17,
    )
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    scaler = StandardScaler().fit(x_train)
    x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
    x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
    y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

    layers = []
    for a, b in [(120, 128), (128, 64)]:
        layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.3)]
    model = nn.Sequential(*layers, nn.Linear(64, 6))
    criterion = nn.CrossEntropyLoss()
    epochs, batch = 14, 64
    steps = epochs * -(-len(x_train) // batch)
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.1, lr=0.05, momentum=0.9, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer.base, steps)
    for epoch in range(epochs):
        model.train()
        total, n = 0.0, 0
        for idx in torch.randperm(len(x_train)).split(batch):
            xb, yb = x_train[idx], y_train[idx]

            def closure(xb=xb, yb=yb):
                optimizer.zero_grad()
                loss = criterion(model(xb), yb)
                loss.backward()
                return loss

            total += optimizer.step(closure).item()
            scheduler.step()
            n += 1
        model.eval()
        with torch.no_grad():
            acc = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1:2d} loss {total / n:.4f} test accuracy {acc:.4f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
