"""Benign or malignant: a perceptron whose learning rate is restarted twice (cosine annealing).

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(0)
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=3)
mu, sd = X_train.mean(0), X_train.std(0)
X_train, X_test = [torch.as_tensor((a - mu) / sd, dtype=torch.float) for a in (X_train, X_test)]
y_train, y_test = [torch.as_tensor(a, dtype=torch.float) for a in (y_train, y_test)]

model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
loss_fn = nn.BCEWithLogitsLoss()

batches = 10
for epoch in range(70):
    model.train()
    perm = torch.randperm(len(X_train))
    for b, rows in enumerate(perm.chunk(batches)):
        optimizer.zero_grad()
        loss = loss_fn(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        scheduler.step(epoch + (b + 1) / batches)
    model.eval()
    with torch.no_grad():
        out = model(X_test)
        val_loss, val_acc = loss_fn(out, y_test).item(), ((out > 0) == (y_test > 0.5)).float().mean().item()
    if epoch % 5 == 4:
        lr = optimizer.param_groups[0]["lr"]
        print(f"{epoch + 1:3d} lr {lr:.4f} loss {loss.item():.4f} val {val_loss:.4f} acc {val_acc:.4f}")

print("metric:", val_acc)
