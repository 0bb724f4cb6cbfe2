"""A classifier of wine cultivars, trained by full-batch gradient descent.

cause: learning-rate-too-low
family: mlp
metric: accuracy, higher
repair:
    - opt = torch.optim.SGD(net.parameters(), lr=5e-5)
    + opt = torch.optim.SGD(net.parameters(), lr=0.1)
"""

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


class WineNet(torch.nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.hidden = torch.nn.Linear(n_in, n_hidden)
        self.out = torch.nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


def load():
    x, y = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=7, stratify=y)
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = (torch.tensor(scaler.transform(part)).float() for part in (x_train, x_test))
    return x_train, x_test, torch.tensor(y_train), torch.tensor(y_test)


if __name__ == "__main__":
    torch.manual_seed(20)
    x_train, x_test, y_train, y_test = load()
    net = WineNet(13, 20, 3)
    opt = torch.optim.SGD(net.parameters(), lr=5e-5)
    loss_fn = torch.nn.CrossEntropyLoss()
    for epoch in range(1000):
        loss = loss_fn(net(x_train), y_train)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if epoch % 100 == 99:
            print(f"epoch {epoch + 1}: loss {loss.item():.5f}")
    hits = net(x_test).argmax(1).eq(y_test).sum().item()
    print(f"{hits} of {len(y_test)} right")
    print(f"metric: {hits / len(y_test):.4f}")
