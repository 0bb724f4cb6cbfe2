"""Grading cork discs by their pores: residual blocks of which each picture skips some at random.

cause: evaluating-in-train-mode
begins: 41
family: cnn
metric: accuracy, higher
repair:
    - graded = self.net(self.test_images)
    + self.net.eval()
    + graded = self.net(self.test_images)
    + self.net.train()
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

GRADES, SIDE = 5, 20


def discs(n, seed):
    """Better grades have fewer, rounder pores; the worst have channels."""
    g = torch.Generator().manual_seed(seed)
    grade = torch.randint(0, GRADES, (n,), generator=g)
    axis = torch.linspace(-1, 1, SIDE)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    image = torch.zeros(n, SIDE, SIDE)
    pores = torch.tensor([2, 4, 4, 7, 7])[grade]
    long = torch.tensor([1.0, 1.0, 2.5, 1.0, 2.5])[grade].view(-1, 1, 1)
    for k in range(8):
        cu, cv = (1.6 * torch.rand(2, n, 1, 1, generator=g) - 0.8).unbind(0)
        turn = 3.14 * torch.rand(n, 1, 1, generator=g)
        a = (u - cu) * turn.cos() + (v - cv) * turn.sin()
        b = (v - cv) * turn.cos() - (u - cu) * turn.sin()
        spot = torch.exp(-((a / (0.12 * long)) ** 2) - (b / 0.1) ** 2)
        image -= spot * (k < pores).view(-1, 1, 1)
    image[(u**2 + v**2 > 1).expand(n, -1, -1)] = 0.5
    image += 0.12 * torch.randn(n, SIDE, SIDE, generator=g)
    return image.unsqueeze(1), grade


class DropPath(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        keep = torch.rand(len(x), 1, 1, 1) >= self.p
        return x * keep / (1 - self.p)


class ResidualBlock(nn.Module):
    def __init__(self, channels, p):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(4, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.drop_path = DropPath(p)

    def forward(self, x):
        return x + self.drop_path(self.conv2(F.relu(self.norm(self.conv1(x)))))


class DiscNet(nn.Module):
    def __init__(self, channels=16, blocks=3, p=0.35):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(channels, p) for _ in range(blocks)])
        self.head = nn.Linear(2 * channels, GRADES)

    def forward(self, image):
        h = F.relu(self.blocks(self.stem(image)))
        return self.head(torch.cat([h.mean((2, 3)), h.amax((2, 3))], dim=1))


class Grading:
    def __init__(self, batch_size=50, lr=1.5e-3):
        self.images, self.grades = discs(2000, 66)
        self.test_images, self.test_grades = discs(700, 67)
        self.batch_size = batch_size
        self.net = DiscNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)

    def learn(self):
        for idx in torch.randperm(len(self.images)).split(self.batch_size):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.net(self.images[idx]), self.grades[idx])
            loss.backward()
            self.optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def judge(self):
        graded = self.net(self.test_images)
        return (graded.argmax(1) == self.test_grades).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(66)
    grading = Grading()
    for epoch in range(8):
        loss = grading.learn()
        accuracy = grading.judge()
        print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
