"""Linear regression of disease progression on ten blood and body measurements.

family: linear
metric: r2, higher
"""

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

torch.manual_seed(3)

features, progression = load_diabetes(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(features, progression, test_size=0.25, random_state=1)

x_mean, x_std = x_train.mean(0), x_train.std(0)
y_mean, y_std = y_train.mean(), y_train.std()


def prepare(x, y):
    """Standardise by what the training part says."""
    x = torch.tensor((x - x_mean) / x_std, dtype=torch.float32)
    y = torch.tensor((y - y_mean) / y_std, dtype=torch.float32)
    return x, y


x_train, y_train = prepare(x_train, y_train)
x_test, y_test = prepare(x_test, y_test)

w = torch.zeros(10, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.05)

for step in range(1200):
    prediction = x_train @ w + b
    loss = (prediction - y_train).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step:4d}  mse {loss.item():.4f}")

with torch.no_grad():
    residual = (x_test @ w + b - y_test).pow(2).sum()
    total = (y_test - y_test.mean()).pow(2).sum()
    r2 = 1 - residual / total
print("weights", [round(v, 3) for v in w.tolist()])
print(f"metric: {r2.item():.4f}")
