"""Handwritten digits by two layers of sigmoid units, in the manner of the 1980s.

family: mlp
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class SigmoidNetwork(torch.nn.Module):
    def __init__(self, n_in=64, n_hidden=(60, 40), n_out=10):
        super().__init__()
        self.first = torch.nn.Linear(n_in, n_hidden[0])
        self.second = torch.nn.Linear(n_hidden[0], n_hidden[1])
        self.third = torch.nn.Linear(n_hidden[1], n_out)
        for layer in (self.first, self.second, self.third):
            # LeCun et al. 1998, Glorot and Bengio 2010: four times wider for the logistic function.
            torch.nn.init.xavier_normal_(layer.weight, gain=3.0 if layer is not self.third else 1.0)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        h = torch.sigmoid(self.first(x))
        h = torch.sigmoid(self.second(h))
        return self.third(h)


def accuracy(network, x, y):
    with torch.no_grad():
        return (network(x).argmax(dim=1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(1986)
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x / 16.0 - 0.305, dtype=torch.float32)
    y = torch.tensor(y)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=450, random_state=0)
    network = SigmoidNetwork()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    decay = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.3)
    for epoch in range(40):
        for pick in torch.randperm(len(x_train)).split(27):
            optimizer.zero_grad()
            error = torch.nn.functional.cross_entropy(network(x_train[pick]), y_train[pick])
            error.backward()
            optimizer.step()
        decay.step()
        if epoch % 5 == 4:
            print(
                f"epoch {epoch + 1:2d} error {error.item():.4f} "
                f"train {accuracy(network, x_train, y_train):.3f} "
                f"test {accuracy(network, x_test, y_test):.3f}"
            )
    print(f"metric: {accuracy(network, x_test, y_test):.4f}")
