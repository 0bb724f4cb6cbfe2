"""An LSTM that tells from a day's ticket validations which of five kinds of bus line it was.

cause: saturated-units
also: poor-initial-values
family: rnn
metric: accuracy, higher
repair:
    - param.data.fill_(4.0)
    + param.data.zero_()
    + param.data[hidden_size : 2 * hidden_size].fill_(1.0)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(21)
torch.manual_seed(21)

STEPS = 72  # every quarter of an hour from 5 to 23


def day(kind):
    t = np.linspace(5, 23, STEPS)
    shift = rng.normal(0, 0.5)

    def peak(at, width, height):
        return height * np.exp(-(((t - at - shift) / width) ** 2))

    if kind == 0:  # commuters
        rate = peak(8, 0.9, 3) + peak(17, 1.2, 3)
    elif kind == 1:  # school
        rate = peak(7.7, 0.7, 3.4) + peak(14, 1.0, 2.6)
    elif kind == 2:  # shopping centre
        rate = peak(12, 2.5, 2) + peak(17, 1.5, 2.4)
    elif kind == 3:  # airport
        rate = 1.2 + 0.5 * np.sin(t + rng.uniform(0, 6.28))
    else:  # night line
        rate = peak(21, 1.6, 3) + peak(8, 1.1, 0.8)
    scale = rng.uniform(1.0, 3.0)
    boardings = rng.poisson(scale * (rate + 0.4))
    transfers = rng.binomial(boardings, 0.3)
    return np.stack([boardings, transfers], 1)


kinds = rng.integers(0, 5, 2500)
days = np.stack([day(k) for k in kinds]).astype(np.float32)
days = (days - days.mean((0, 1))) / days.std((0, 1))
X, y = torch.from_numpy(days), torch.from_numpy(kinds)
train_loader = DataLoader(TensorDataset(X[:2000], y[:2000]), batch_size=50, shuffle=True)


class LineClassifier(nn.Module):
    def __init__(self, hidden_size=48):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, 5)
        # a large forget gate bias helps to remember (Jozefowicz et al., 2015)
        for name, param in self.lstm.named_parameters():
            if "bias_ih" in name:
                param.data.fill_(4.0)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.fc(h[-1])


model = LineClassifier()
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(12):
    running, seen = 0.0, 0
    for xb, yb in train_loader:
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        opt.step()
        running += loss.item() * len(yb)
        seen += len(yb)
    with torch.no_grad():
        acc = (model(X[2000:]).argmax(1) == y[2000:]).float().mean().item()
    print(f"[{epoch + 1}/12] loss={running / seen:.4f} val_acc={acc:.3f}")
print(f"metric: {acc:.4f}")
