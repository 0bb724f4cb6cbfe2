"""Cultivars of wine from chemical analysis: log-probabilities, with early stopping.

family: mlp
metric: accuracy, higher
"""

import copy

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(100)


class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(13, 16)
        self.output = nn.Linear(16, 3)

    def forward(self, x):
        x = torch.tanh(self.hidden(x))
        return torch.log_softmax(self.output(x), dim=-1)


class EarlyStopping:
    """Keeps the best weights, and says when nothing better has come for a while."""

    def __init__(self, patience):
        self.patience = patience
        self.best = float("inf")
        self.waited = 0
        self.weights = None

    def stop(self, loss, model):
        if loss < self.best - 1e-4:
            self.best, self.waited = loss, 0
            self.weights = copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited > self.patience


x, y = load_wine(return_X_y=True)
x_rest, x_test, y_rest, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=6)
x_train, x_val, y_train, y_val = train_test_split(
    x_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=6
)
scaler = StandardScaler().fit(x_train)
x_train, x_val, x_test = (
    torch.tensor(scaler.transform(part), dtype=torch.float32) for part in (x_train, x_val, x_test)
)
y_train, y_val, y_test = (torch.tensor(part) for part in (y_train, y_val, y_test))

model = WineNet()
criterion = nn.NLLLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-2)
stopping = EarlyStopping(patience=15)

for epoch in range(400):
    model.train()
    for pick in torch.randperm(len(x_train)).split(16):
        optimizer.zero_grad()
        loss = criterion(model(x_train[pick]), y_train[pick])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        validation = criterion(model(x_val), y_val).item()
    if epoch % 10 == 0:
        print(f"epoch {epoch} train {loss.item():.4f} validation {validation:.4f}")
    if stopping.stop(validation, model):
        print(f"stopped after epoch {epoch}, best validation loss {stopping.best:.4f}")
        break

model.load_state_dict(stopping.weights)
model.eval()
with torch.no_grad():
    accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.4f}")
