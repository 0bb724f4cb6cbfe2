"""Two noisy moons told apart, judged with a moving average of the weights.

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.manual_seed(21)
x, y = make_moons(3000, noise=0.22, random_state=4)
x = torch.tensor(x, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
x_train, y_train, x_test, y_test = x[:2000], y[:2000], x[2000:], y[2000:]

net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99))
opt = torch.optim.RMSprop(net.parameters(), lr=2e-3, alpha=0.95)
bce = nn.BCEWithLogitsLoss()


def accuracy(model):
    with torch.no_grad():
        return ((model(x_test) > 0) == (y_test > 0.5)).float().mean().item()


for it in range(1, 1501):
    pick = torch.randint(0, len(x_train), (64,))
    loss = bce(net(x_train[pick]), y_train[pick])
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update_parameters(net)
    if it % 300 == 0:
        print(f"{it:5d} loss {loss.item():.3f}  raw {accuracy(net):.3f}  averaged {accuracy(ema):.3f}")

print(f"metric: {accuracy(ema):.4f}")
