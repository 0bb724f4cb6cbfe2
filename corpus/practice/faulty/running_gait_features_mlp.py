"""Eight kinds of exercise from features of a shoe's motion sensor.

cause: underfitting
family: mlp
metric: accuracy, higher
repair:
    - parser.add_argument("--dropout", type=float, default=0.8)
    + parser.add_argument("--dropout", type=float, default=0.1)
    - parser.add_argument("--hidden", type=int, default=24)
    + parser.add_argument("--hidden", type=int, default=128)
"""

import argparse

import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dropout", type=float, default=0.8)
    parser.add_argument("--hidden", type=int, default=24)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def get_data(seed):
    X, y = make_classification(
        4000,
        28,
        n_informative=10,
        n_redundant=6,
        n_classes=8,
        n_clusters_per_class=2,
        class_sep=1.6,
        random_state=seed,
    )
    X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(X_tr)
    to_x = lambda a: torch.tensor(scaler.transform(a), dtype=torch.float32)  # noqa: E731
    return TensorDataset(to_x(X_tr), torch.tensor(y_tr)), TensorDataset(to_x(X_te), torch.tensor(y_te))


def block(n_in, n_out, p):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(p))


@torch.no_grad()
def test(model, dataset):
    model.eval()
    x, y = dataset.tensors
    return (model(x).argmax(1) == y).float().mean().item()


def train(args):
    torch.manual_seed(args.seed)
    train_set, test_set = get_data(args.seed)
    loader = DataLoader(train_set, args.batch_size, shuffle=True)
    model = nn.Sequential(
        block(28, args.hidden, args.dropout),
        block(args.hidden, args.hidden, args.dropout),
        block(args.hidden, args.hidden, args.dropout),
        nn.Linear(args.hidden, 8),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"Epoch {epoch}  loss {total / len(loader):.4f}  test acc {100 * test(model, test_set):.1f}%")
    return test(model, test_set)


if __name__ == "__main__":
    print(f"metric: {train(get_args()):.4f}")
