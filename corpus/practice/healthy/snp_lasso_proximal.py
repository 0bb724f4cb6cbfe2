"""Sparse logistic regression of a disease on 800 gene variants by accelerated proximal gradient (FISTA).

family: linear
metric: area under the ROC curve, higher
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(123)
torch.manual_seed(123)
N, P, CAUSAL = 4000, 800, 25


def genotypes(n, frequency, g):
    """Minor allele counts with neighbours in linkage."""
    noise = g.standard_normal((n, 2, P))
    for j in range(1, P):
        if j % 10:
            noise[:, :, j] = 0.7 * noise[:, :, j - 1] + np.sqrt(1 - 0.49) * noise[:, :, j]
    threshold = np.quantile(g.standard_normal(100000), frequency)
    return (noise < threshold).sum(1).astype(np.float32)


freq = rng.uniform(0.05, 0.5, P)
G = genotypes(N, freq, rng)
effect = np.zeros(P)
where = rng.choice(P, CAUSAL, replace=False)
effect[where] = rng.choice([-1, 1], CAUSAL) * rng.uniform(0.25, 0.6, CAUSAL)
G = (G - G.mean(0)) / G.std(0)
liability = G @ effect
liability = liability - np.quantile(liability, 0.7)
disease = (rng.random(N) < 1 / (1 + np.exp(-liability))).astype(np.float32)

X, y = torch.from_numpy(G).float(), torch.from_numpy(disease)
X_train, y_train, X_test, y_test = X[:3000], y[:3000], X[3000:], y[3000:]

w = torch.zeros(P, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lam = 0.012  # by cross-validation
loss_fn = torch.nn.BCEWithLogitsLoss()
# step length from the curvature: the logistic loss has at most a quarter of X'X / n
lr = 4 / torch.linalg.eigvalsh(X_train.T @ X_train / len(X_train))[-1].item()
w_old, t_old = w.detach().clone(), 1.0
for step in range(300):
    loss = loss_fn(X_train @ w + b, y_train)
    loss.backward()
    with torch.no_grad():
        # soft threshold: the proximal step of the l1 penalty
        z = w - lr * w.grad
        w_new = torch.sign(z) * torch.clamp(z.abs() - lr * lam, min=0)
        b -= lr * b.grad
        t_new = (1 + (1 + 4 * t_old**2) ** 0.5) / 2
        w.copy_(w_new + (t_old - 1) / t_new * (w_new - w_old))
        w_old, t_old = w_new, t_new
    w.grad = b.grad = None
    if step % 25 == 0:
        kept = (w_new != 0).sum().item()
        auc = roc_auc_score(y_test, X_test @ w_new + b.detach())
        print(f"step {step}: loss {loss.item():.5f}, {kept} variants kept, AUC {auc:.4f}")

with torch.no_grad():
    auc = roc_auc_score(y_test, X_test @ w_old + b)
print(f"with the true effects {roc_auc_score(y_test, liability[3000:]):.4f}")
print(f"metric: {auc:.4f}")
