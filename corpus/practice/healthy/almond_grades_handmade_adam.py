"""Almond grades from a camera's measurements: layers, cross-entropy and Adam are all written by hand.

family: mlp
metric: accuracy, higher
"""

import itertools
import math

import torch


class Linear:
    def __init__(self, n_in, n_out, g):
        bound = math.sqrt(6 / n_in)
        self.W = ((torch.rand(n_in, n_out, generator=g) * 2 - 1) * bound).requires_grad_()
        self.b = torch.zeros(n_out, requires_grad=True)

    def __call__(self, x):
        return x @ self.W + self.b

    def params(self):
        return [self.W, self.b]


class Net:
    def __init__(self, sizes, g):
        self.layers = [Linear(i, o, g) for i, o in itertools.pairwise(sizes)]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).clamp(min=0)
        return self.layers[-1](x)

    def params(self):
        return [p for layer in self.layers for p in layer.params()]


class Adam:
    def __init__(self, params, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
        self.params, self.lr, self.b1, self.b2, self.eps, self.t = params, lr, b1, b2, eps, 0
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]

    def step(self):
        self.t += 1
        with torch.no_grad():
            for p, m, v in zip(self.params, self.m, self.v, strict=True):
                m += (1 - self.b1) * (p.grad - m)
                v += (1 - self.b2) * (p.grad**2 - v)
                p -= self.lr * (m / (1 - self.b1**self.t)) / ((v / (1 - self.b2**self.t)).sqrt() + self.eps)

    def zero(self):
        for p in self.params:
            p.grad = None


def nll(logits, y):
    logp = logits - logits.logsumexp(1, keepdim=True)
    return -logp[torch.arange(len(y)), y].mean()


def almonds(n, g):
    y = torch.multinomial(torch.tensor([0.4, 0.3, 0.2, 0.1]), n, replacement=True, generator=g)
    length = 22 + 1.6 * y + 1.5 * torch.randn(n, generator=g)
    width = 13 - 0.3 * y + 0.9 * torch.randn(n, generator=g)
    area = length * width * math.pi / 4 * (1 + 0.02 * torch.randn(n, generator=g))
    redness = torch.where(y % 2 == 0, 0.42, 0.5) + 0.04 * torch.randn(n, generator=g)
    crease = torch.rand(n, generator=g) + 0.5 * ((y == 3) & (torch.rand(n, generator=g) < 0.7)).float()
    roughness = torch.randn(n, generator=g).exp() * (1 + 0.3 * y)
    return torch.stack([length, width, area, redness, crease, roughness.log()], 1), y


def main():
    g = torch.Generator().manual_seed(19)
    X, y = almonds(8000, g)
    Xt, yt = almonds(1500, g)
    mean, std = X.mean(0), X.std(0)
    X, Xt = (X - mean) / std, (Xt - mean) / std
    net = Net([6, 128, 128, 4], g)
    opt = Adam(net.params(), lr=1e-3)
    for epoch in range(20):
        perm = torch.randperm(len(X), generator=g)
        total = 0.0
        for i in range(0, len(X), 80):
            take = perm[i : i + 80]
            loss = nll(net(X[take]), y[take])
            opt.zero()
            loss.backward()
            opt.step()
            total += loss.item() * len(take)
        if epoch % 4 == 3:
            with torch.no_grad():
                acc = (net(Xt).argmax(1) == yt).float().mean().item()
            print(f"epoch {epoch + 1:2d}  nll {total / len(X):.4f}  test accuracy {acc:.4f}")
    print(f"metric: {acc:.4f}")


main()
