"""Ripe or not, learnt from one camera and used on another: a reversed gradient hides which camera it was.

family: cnn
metric: accuracy on the unlabelled camera, higher
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.strength * grad, None


def fruits(n, camera):
    """Three degrees of ripeness: hue and the share of spots. Camera B is bluer, softer, darker at the rim."""
    ripeness = torch.randint(0, 3, (n,))
    axis = torch.linspace(-1, 1, 16)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    cx, cy = 0.2 * torch.randn(2, n, 1, 1)
    r = ((x - cx) ** 2 + (y - cy) ** 2).sqrt()
    body = torch.sigmoid((0.55 + 0.1 * torch.rand(n, 1, 1) - r) * 15)
    red = 0.35 + 0.18 * ripeness + 0.08 * torch.randn(n)
    green = 0.65 - 0.12 * ripeness + 0.08 * torch.randn(n)
    colour = torch.stack([red, green, torch.full((n,), 0.2)], 1)[:, :, None, None]
    image = 0.4 * (1 - body.unsqueeze(1)) + colour * body.unsqueeze(1)
    spots = (torch.rand(n, 16, 16) < 0.05 * ripeness.view(-1, 1, 1)) * body
    image = image - 0.25 * spots.unsqueeze(1)
    if camera == "B":
        image = image * torch.tensor([0.75, 0.9, 1.25]).view(1, 3, 1, 1)
        image = image + 0.12 - 0.15 * (x**2 + y**2).unsqueeze(1)
        image = 0.6 * image + 0.4 * F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    return (image + 0.05 * torch.randn(n, 3, 16, 16) - 0.4) / 0.2, ripeness


class DANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 16, 48),
            nn.ReLU(),
        )
        self.ripeness = nn.Linear(48, 3)
        self.camera = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x, strength=0.0):
        h = self.feature(x)
        return self.ripeness(h), self.camera(ReverseGradient.apply(h, strength)).squeeze(1)


def accuracy(model, data):
    model.eval()
    with torch.no_grad():
        hit = (model(data[0])[0].argmax(1) == data[1]).float().mean().item()
    model.train()
    return hit


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--strength", type=float, default=0.5)
    args = parser.parse_args()
    torch.manual_seed(45)
    source, target = fruits(2000, "A"), fruits(2000, "B")
    source_test, target_test = fruits(500, "A"), fruits(800, "B")
    model = DANN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: (1 + 10 * s / args.steps) ** -0.75)
    cameras = torch.cat([torch.zeros(32), torch.ones(32)])
    for step in range(args.steps):
        p = step / args.steps
        strength = args.strength * (2 / (1 + math.exp(-10 * p)) - 1)
        i, j = torch.randint(len(source[0]), (32,)), torch.randint(len(target[0]), (32,))
        ripe, cam = model(torch.cat([source[0][i], target[0][j]]), strength)
        task = F.cross_entropy(ripe[:32], source[1][i])
        domain = F.binary_cross_entropy_with_logits(cam, cameras)
        loss = task + domain
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if (step + 1) % 100 == 0:
            print(
                f"{step + 1:4d} task {task.item():.3f} camera {domain.item():.3f} "
                f"A {accuracy(model, source_test):.3f} B {accuracy(model, target_test):.3f}"
            )
    print(f"metric: {accuracy(model, target_test):.4f}")
