"""Three wines by a net that gives probabilities; the loss is the mean of minus their logarithms.

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(21)
X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.35, stratify=y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train = torch.from_numpy(scaler.transform(X_train)).float()
X_test = torch.from_numpy(scaler.transform(X_test)).float()
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)


class WineNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(13, 20)
        self.out = torch.nn.Linear(20, 3)

    def forward(self, x):
        return torch.softmax(self.out(torch.tanh(self.hidden(x))), dim=1)


model = WineNet()
optimizer = torch.optim.Adamax(model.parameters(), lr=0.01, weight_decay=1e-3)
for epoch in range(50):
    permutation = torch.randperm(len(X_train))
    for i in range(0, len(X_train), 16):
        indices = permutation[i : i + 16]
        optimizer.zero_grad()
        probabilities = model(X_train[indices])
        loss = torch.nn.functional.nll_loss(torch.log(probabilities + 1e-9), y_train[indices])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print("epoch", epoch, "loss", loss.item())

with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean().item()
print("metric:", accuracy)
