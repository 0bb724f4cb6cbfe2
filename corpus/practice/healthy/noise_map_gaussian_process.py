"""A town's night noise map from 350 microphones: Gaussian process, one length scale per input, L-BFGS.

family: gaussian process
metric: root mean squared error in dB on held-out microphones, lower
"""

import math

import torch

torch.set_default_dtype(torch.float64)


def town(n, generator):
    xy = torch.rand(n, 2, generator=generator) * 6  # km
    height = 2 + 8 * torch.rand(n, 1, generator=generator)
    street_number = torch.randint(1, 200, (n, 1), generator=generator).double()
    level = 48 + 9 * torch.exp(-((xy[:, 1] - 2 - 0.4 * xy[:, 0]) ** 2) / 0.3)  # main road
    level = level + 6 * torch.exp(-((xy - torch.tensor([4.5, 4.5])) ** 2).sum(1) / 0.8)  # square
    level = level + 0.5 * height.squeeze() - 0.02 * height.squeeze() ** 2
    return torch.cat([xy, height, street_number], 1), level + 1.2 * torch.randn(n, generator=generator)


class NoiseGP(torch.nn.Module):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        self.log_length = torch.nn.Parameter(torch.zeros(x.shape[1]))
        self.log_signal = torch.nn.Parameter(torch.tensor(0.0))
        self.log_noise = torch.nn.Parameter(torch.tensor(-1.0))
        self.mean = torch.nn.Parameter(torch.tensor(0.0))

    def kernel(self, a, b):
        a, b = a / self.log_length.exp(), b / self.log_length.exp()
        d2 = (a.pow(2).sum(1)[:, None] + b.pow(2).sum(1)[None] - 2 * a @ b.T).clamp(min=0)
        return (2 * self.log_signal).exp() * torch.exp(-0.5 * d2)

    def factor(self):
        noise = (2 * self.log_noise).exp() + 1e-6
        return torch.linalg.cholesky(self.kernel(self.x, self.x) + noise * torch.eye(len(self.x)))

    def forward(self):
        """Negative log marginal likelihood."""
        chol = self.factor()
        r = (self.y - self.mean)[:, None]
        fit = 0.5 * (r * torch.cholesky_solve(r, chol)).sum()
        return fit + chol.diagonal().log().sum() + 0.5 * len(self.y) * math.log(2 * math.pi)

    def predict(self, new):
        chol = self.factor()
        weights = torch.cholesky_solve((self.y - self.mean)[:, None], chol)
        return self.mean + (self.kernel(new, self.x) @ weights).squeeze(1)


def main():
    g = torch.Generator().manual_seed(3)
    x, y = town(350, g)
    x_new, y_new = town(300, g)
    mx, sx, my, sy = x.mean(0), x.std(0), y.mean(), y.std()
    gp = NoiseGP((x - mx) / sx, (y - my) / sy)
    optimizer = torch.optim.LBFGS(
        gp.parameters(), lr=1, max_iter=5, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = gp()
        loss.backward()
        return loss

    previous = math.inf
    for it in range(60):
        loss = optimizer.step(closure).item()
        print(f"{it:3d} nll {loss:.3f} length scales {gp.log_length.exp().detach().numpy().round(2)}")
        if previous - loss < 1e-5:
            break
        previous = loss
    with torch.no_grad():
        pred = gp.predict((x_new - mx) / sx) * sy + my
    print(f"noise estimated {(gp.log_noise.exp() * sy).item():.2f} dB")
    print(f"metric: {(pred - y_new).pow(2).mean().sqrt().item():.4f}")


if __name__ == "__main__":
    main()
