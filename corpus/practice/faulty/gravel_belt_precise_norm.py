"""The mean size of gravel on a belt, from laser profiles; norms are measured anew before each validation.

cause: evaluating-in-train-mode
begins: 41
family: cnn
metric: mean squared error, lower
repair:
    - for part, momentum in zip(norms, kept, strict=True):
    - part.momentum = momentum
    + for part, momentum in zip(norms, kept, strict=True):
    +     part.momentum = momentum
    + trainer.net.eval()
"""

import torch
from torch import nn

LENGTH = 60


def profiles(n, seed):
    """Heights along a line across the belt: stones as half circles, the belt sags and rattles."""
    g = torch.Generator().manual_seed(seed)
    size = 0.03 + 0.09 * torch.rand(n, 1, generator=g)
    t = torch.linspace(0, 1, LENGTH)
    height = torch.zeros(n, LENGTH)
    for _ in range(24):
        radius = size * (0.6 + 0.8 * torch.rand(n, 1, generator=g))
        centre = torch.rand(n, 1, generator=g)
        height = torch.maximum(height, (radius**2 - (t - centre) ** 2).clamp(min=0).sqrt())
    height = height + 0.01 * torch.randn(n, LENGTH, generator=g) + 0.02 * torch.randn(n, 1, generator=g) * t
    return (height * 15).unsqueeze(1), (size.squeeze(1) - 0.075) / 0.026


class Callback:
    def before_validation(self, trainer): ...
    def after_validation(self, trainer, loss): ...


class SwitchMode(Callback):
    def before_validation(self, trainer):
        trainer.net.eval()

    def after_validation(self, trainer, loss):
        trainer.net.train()


class PreciseNorm(Callback):
    """Replaces the running averages of the batch norms by plain averages over some batches."""

    def __init__(self, batches):
        self.batches = batches

    @torch.no_grad()
    def before_validation(self, trainer):
        norms = [part for part in trainer.net.modules() if isinstance(part, nn.BatchNorm1d)]
        kept = [part.momentum for part in norms]
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # the cumulative average
        trainer.net.train()
        for rows in torch.randperm(len(trainer.x)).split(trainer.batch)[: self.batches]:
            trainer.net(trainer.x[rows])
        for part, momentum in zip(norms, kept, strict=True):
            part.momentum = momentum


class Log(Callback):
    def after_validation(self, trainer, loss):
        print(f"step {trainer.steps}: {loss:.5f}")


class Trainer:
    def __init__(self, net, x, y, callbacks, batch=40, lr=2e-3):
        self.net, self.x, self.y, self.batch = net, x, y, batch
        self.callbacks = callbacks
        self.steps = 0
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr)
        self.criterion = nn.MSELoss()

    def call(self, event, *args):
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)

    def fit(self, epochs, x_valid, y_valid):
        for _ in range(epochs):
            for rows in torch.randperm(len(self.x)).split(self.batch):
                self.optimizer.zero_grad()
                self.criterion(self.net(self.x[rows]).squeeze(1), self.y[rows]).backward()
                self.optimizer.step()
                self.steps += 1
            loss = self.validate(x_valid, y_valid)
        return loss

    @torch.no_grad()
    def validate(self, x, y):
        self.call("before_validation")
        guess = torch.cat([self.net(part) for part in x.split(100)]).squeeze(1)
        loss = self.criterion(guess, y).item()
        self.call("after_validation", loss)
        return loss


def conv(before, after):
    return [nn.Conv1d(before, after, 5, padding=2), nn.BatchNorm1d(after), nn.ReLU(), nn.MaxPool1d(2)]


if __name__ == "__main__":
    torch.manual_seed(64)
    net = nn.Sequential(
        *conv(1, 12),
        *conv(12, 24),
        nn.Flatten(),
        nn.Linear(24 * 15, 64),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(64, 1),
    )
    trainer = Trainer(net, *profiles(1600, 640), [SwitchMode(), PreciseNorm(batches=20), Log()])
    print(f"metric: {trainer.fit(12, *profiles(500, 641)):.6f}")
