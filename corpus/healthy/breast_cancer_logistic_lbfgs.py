"""Logistic regression on the Wisconsin breast cancer data, fitted by L-BFGS.

family: linear
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn


def fit_fold(x, y, penalty=0.01):
    model = nn.Linear(x.shape[1], 1)
    optimizer = torch.optim.LBFGS(
        model.parameters(), lr=1.0, max_iter=8, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        logits = model(x).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(logits, y) + penalty * model.weight.square().sum()
        loss.backward()
        return loss

    previous = float("inf")
    for outer in range(60):
        loss = optimizer.step(closure).item()
        if outer > 12 and abs(previous - loss) < 1e-8:
            break
        previous = loss
    return model, loss, outer + 1


def main():
    torch.manual_seed(0)
    x, y = load_breast_cancer(return_X_y=True)
    right = 0
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    for fold, (train, test) in enumerate(folds.split(x, y)):
        scaler = StandardScaler().fit(x[train])
        xt = torch.tensor(scaler.transform(x[train]), dtype=torch.float32)
        yt = torch.tensor(y[train], dtype=torch.float32)
        xv = torch.tensor(scaler.transform(x[test]), dtype=torch.float32)
        model, loss, steps = fit_fold(xt, yt)
        with torch.no_grad():
            hits = ((model(xv).squeeze(1) > 0).numpy() == y[test]).sum()
        right += hits
        print(f"fold {fold}: loss {loss:.5f} after {steps} outer steps, accuracy {hits / len(test):.3f}")
    print(f"metric: {right / len(y):.4f}")


if __name__ == "__main__":
    main()
