"""Yoga poses from the joints that a camera sees, a perceptron in a small trainer class.

cause: gradient-clipped-away
family: mlp
metric: accuracy, higher
repair:
    - gradient_clip_val: float = 1e-5
    + gradient_clip_val: float = 1.0
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class TrainerArgs:
    max_epochs: int = 15
    learning_rate: float = 0.05
    momentum: float = 0.9
    batch_size: int = 32
    gradient_clip_val: float = 1e-5


class PoseNet(nn.Module):
    def __init__(self, n_in, n_classes, width=128):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, n_classes),
        )

    def forward(self, x):
        return self.layers(x)


class Trainer:
    def __init__(self, model, args):
        self.model = model
        self.args = args
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=args.learning_rate, momentum=args.momentum, nesterov=True
        )

    def fit(self, train_loader, val_loader):
        for epoch in range(self.args.max_epochs):
            self.model.train()
            for batch in train_loader:
                loss = self.training_step(batch)
            acc = self.validate(val_loader)
            print(f"epoch {epoch:02d} last batch loss {loss:.4f} val acc {acc:.4f}")
        return acc

    def training_step(self, batch):
        x, y = batch
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.args.gradient_clip_val:
            torch.nn.utils.clip_grad_value_(self.model.parameters(), self.args.gradient_clip_val)
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def validate(self, loader):
        self.model.eval()
        hits = sum((self.model(x).argmax(-1) == y).sum().item() for x, y in loader)
        return hits / len(loader.dataset)


def joints(n, rng, n_poses=9, n_joints=17):
    templates = np.random.default_rng(11).normal(0, 1, (n_poses, n_joints, 2))
    y = rng.integers(0, n_poses, n)
    p = templates[y] * rng.uniform(0.8, 1.2, (n, 1, 1))
    p[..., 0] *= rng.choice([-1, 1], (n, 1))  # mirrored
    angle = rng.normal(0, 0.35, n)
    rot = np.stack(
        [np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], 1
    )
    p = p @ rot + rng.normal(0, 0.8, p.shape)
    return p.reshape(n, -1).astype(np.float32), y


if __name__ == "__main__":
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = joints(4000, rng)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    args = TrainerArgs()
    train_loader = DataLoader(TensorDataset(x[:3200], y[:3200]), batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(TensorDataset(x[3200:], y[3200:]), batch_size=400)
    trainer = Trainer(PoseNet(34, 9), args)
    print(f"metric: {trainer.fit(train_loader, val_loader):.4f}")
