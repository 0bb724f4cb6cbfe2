"""An aeroplane's fuel per hour from its flight's data; a network of tanh layers, written without nn.

cause: saturated-units
also: poor-initial-values
family: mlp
metric: R², higher
repair:
    - self.w = [torch.randn(a, b) for a, b in pairwise(sizes)]
    + self.w = [torch.randn(a, b) / a**0.5 for a, b in pairwise(sizes)]
"""

from itertools import pairwise

import torch


class Network:
    def __init__(self, sizes):
        self.w = [torch.randn(a, b) for a, b in pairwise(sizes)]
        self.b = [torch.zeros(n) for n in sizes[1:]]
        for p in self.parameters():
            p.requires_grad_()

    def parameters(self):
        return self.w + self.b

    def __call__(self, x):
        for w, b in zip(self.w[:-1], self.b[:-1], strict=True):
            x = torch.tanh(x @ w + b)
        return (x @ self.w[-1] + self.b[-1]).squeeze(1)


def flights(n):
    """Mass, height, speed, headwind, temperature, climb, age of the engine, share of flaps."""
    x = torch.randn(n, 8)
    mass, height, speed, wind, heat, climb, age, flaps = x.T
    drag = torch.exp(0.4 * speed - 0.3 * height) + 0.3 * torch.relu(flaps) * speed**2
    lift = torch.exp(0.3 * mass) * torch.sigmoid(2 * climb)
    y = drag + 1.5 * lift + 0.3 * wind * speed + 0.1 * heat + 0.2 * torch.sin(2 * age) + 0.1 * torch.randn(n)
    return x, y


def main():
    torch.manual_seed(42)
    x, y = flights(5000)
    y = (y - y.mean()) / y.std()
    x_train, y_train, x_test, y_test = x[:4000], y[:4000], x[4000:], y[4000:]

    network = Network([8, 100, 100, 100, 1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    batch_size = 50
    for epoch in range(30):
        permutation = torch.randperm(len(x_train))
        epoch_loss = 0
        for i in range(0, len(x_train), batch_size):
            batch = permutation[i : i + batch_size]
            loss = ((network(x_train[batch]) - y_train[batch]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(batch)
        if epoch % 3 == 2:
            with torch.no_grad():
                r2 = 1 - ((network(x_test) - y_test) ** 2).mean() / y_test.var()
            print(f"epoch {epoch + 1}: loss {epoch_loss / len(x_train):.4f}, test R2 {r2:.4f}")
    print(f"metric: {r2.item():.4f}")


if __name__ == "__main__":
    main()
