"""Chess pieces drawn as glyphs, eight labels a class: a mean teacher makes use of the rest.

family: cnn
metric: accuracy, higher
"""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

GLYPHS = {
    "pawn": ["........", "...##...", "...##...", "..####..", "...##...", "..####..", ".######.", "........"],
    "rook": [".#.##.#.", ".######.", "..####..", "..####..", "..####..", "..####..", ".######.", ".######."],
    "knight": [
        "...##...",
        "..####..",
        ".######.",
        ".##.###.",
        "....###.",
        "...###..",
        "..#####.",
        ".######.",
    ],
    "bishop": [
        "...##...",
        "..####..",
        "..##.#..",
        "..####..",
        "...##...",
        "..####..",
        "..####..",
        ".######.",
    ],
    "queen": ["#..##..#", "#.####.#", "########", ".######.", ".######.", "..####..", "..####..", ".######."],
    "king": ["...##...", ".######.", "...##...", "##.##.##", "########", "########", ".######.", ".######."],
}
TEMPLATES = torch.tensor([[[c == "#" for c in row] for row in rows] for rows in GLYPHS.values()]).float()


def draw(kinds, g):
    n = len(kinds)
    angle = 0.3 * torch.randn(n, generator=g)
    zoom = 1.0 + 0.25 * torch.rand(n, generator=g)
    shift = 0.2 * torch.randn(n, 2, generator=g)
    theta = torch.stack(
        [
            torch.stack([zoom * angle.cos(), -zoom * angle.sin(), shift[:, 0]], 1),
            torch.stack([zoom * angle.sin(), zoom * angle.cos(), shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [n, 1, 16, 16], align_corners=False)
    image = F.grid_sample(TEMPLATES[kinds].unsqueeze(1), grid, align_corners=False)
    return image + 0.18 * torch.randn(n, 1, 16, 16, generator=g)


def perturb(x):
    dy, dx = torch.randint(-1, 2, (2,)).tolist()
    return torch.roll(x, (dy, dx), (2, 3)) + 0.15 * torch.randn_like(x)


def make_net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(32 * 16, 64),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 6),
    )


def rampup(step, length):
    return math.exp(-5 * (1 - min(step, length) / length) ** 2)


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        result = (net(x).argmax(1) == y).float().mean().item()
    net.train()
    return result


torch.manual_seed(64)
g = torch.Generator().manual_seed(64)
few_y = torch.arange(6).repeat(8)
few_x = draw(few_y, g)
many_x = draw(torch.randint(0, 6, (3000,), generator=g), g)
test_y = torch.randint(0, 6, (800,), generator=g)
test_x = draw(test_y, g)

student = make_net()
teacher = copy.deepcopy(student)
for p in teacher.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.Adam(student.parameters(), lr=2e-3, betas=(0.9, 0.99))

STEPS = 600
for step in range(STEPS):
    labelled = torch.randint(len(few_x), (16,))
    x_l, y_l = perturb(few_x[labelled]), few_y[labelled]
    x_u = many_x[torch.randint(len(many_x), (32,))]
    batch = torch.cat([x_l, perturb(x_u)])
    logits = student(batch)
    with torch.no_grad():
        says = teacher(torch.cat([perturb(few_x[labelled]), perturb(x_u)])).softmax(1)
    supervised = F.cross_entropy(logits[:16], y_l)
    consistency = ((logits.softmax(1) - says) ** 2).sum(1).mean()
    loss = supervised + 8.0 * rampup(step, 250) * consistency
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    decay = min(1 - 1 / (step + 1), 0.97)
    with torch.no_grad():
        for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
            t.mul_(decay).add_(s, alpha=1 - decay)
    if (step + 1) % 100 == 0:
        print(
            f"step {step + 1}: ce {supervised.item():.3f} consistency {consistency.item():.4f} "
            f"student {accuracy(student, test_x, test_y):.3f} teacher {accuracy(teacher, test_x, test_y):.3f}"
        )
print(f"metric: {accuracy(teacher, test_x, test_y):.4f}")
