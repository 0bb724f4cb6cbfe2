"""Severity of Parkinson's disease from measures of a voice recording.

cause: poor-initial-values
family: mlp
metric: r2, higher
repair:
    - nn.init.normal_(m.weight)
    + nn.init.xavier_normal_(m.weight)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(100)
np.random.seed(100)


def load_voices(n=2200):
    patient = np.random.randn(n, 5)
    W = np.random.randn(5, 18)
    X = np.tanh(patient @ W / 2) + 0.3 * np.random.randn(n, 18)
    updrs = 20 + 6 * patient[:, 0] - 4 * patient[:, 1] + 5 * np.tanh(patient[:, 2] * patient[:, 3])
    updrs += 1.5 * np.random.randn(n)
    return X.astype("float32"), updrs.astype("float32")


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight)
        nn.init.zeros_(m.bias)


class UPDRSNet(nn.Module):
    def __init__(self, dims=(18, 64, 64)):
        super().__init__()
        blocks = []
        for i in range(1, len(dims)):
            blocks += [nn.Linear(dims[i - 1], dims[i]), nn.ReLU()]
        self.trunk = nn.Sequential(*blocks)
        self.out = nn.Linear(dims[-1], 1)
        self.apply(init_weights)

    def forward(self, x):
        return self.out(self.trunk(x)).squeeze(-1)


X, y = load_voices()
n_train = 1700
mx, sx = X[:n_train].mean(0), X[:n_train].std(0)
my, sy = y[:n_train].mean(), y[:n_train].std()
X = torch.from_numpy((X - mx) / sx)
y = torch.from_numpy((y - my) / sy)
train_X, test_X = X[:n_train], X[n_train:]
train_y, test_y = y[:n_train], y[n_train:]

net = UPDRSNet()
opt = optim.Adam(net.parameters(), lr=5e-4)
sched = optim.lr_scheduler.StepLR(opt, step_size=10, gamma=0.5)
loss_function = nn.MSELoss()

for epoch in range(30):
    net.train()
    epoch_losses = []
    for idx in torch.randperm(n_train).split(50):
        opt.zero_grad()
        loss = loss_function(net(train_X[idx]), train_y[idx])
        loss.backward()
        opt.step()
        epoch_losses.append(loss.item())
    sched.step()
    net.eval()
    with torch.no_grad():
        mse = loss_function(net(test_X), test_y).item()
    r2 = 1 - mse / test_y.var(unbiased=False).item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1} | train {np.mean(epoch_losses):.4f} | test {mse:.4f} | R2 {r2:.4f}")

print(f"metric: {r2:.4f}")
