"""A wide teacher grades tea by its spectrum; a narrow student learns from the teacher's soft answers.

family: distillation
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(81)
BANDS, GRADES = 40, 6
grid = torch.linspace(0, 1, BANDS)
peaks = torch.rand(GRADES, 3)
widths = 0.04 + 0.08 * torch.rand(GRADES, 3)
heights = 0.5 + torch.rand(GRADES, 3)


def spectra(n):
    grade = torch.randint(GRADES, (n,))
    shift = 0.03 * torch.randn(n, 3, 1)
    strength = heights[grade].unsqueeze(2) * (1 + 0.35 * torch.randn(n, 3, 1))
    bumps = strength * torch.exp(
        -(((grid - peaks[grade].unsqueeze(2) - shift) / widths[grade].unsqueeze(2)) ** 2)
    )
    water = torch.randn(n, 1) * grid + 0.5 * torch.randn(n, 1)
    return bumps.sum(1) + 0.3 * water + 0.35 * torch.randn(n, BANDS), grade


def mlp(width, dropout=0.0):
    return nn.Sequential(
        nn.Linear(BANDS, width), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, GRADES),
    )  # fmt: skip


def accuracy(model):
    model.eval()
    with torch.no_grad():
        return (model(x_test).argmax(1) == y_test).float().mean().item()


x, y = spectra(3000)
x_test, y_test = spectra(2000)
mean, std = x.mean(0), x.std(0)
x, x_test = (x - mean) / std, (x_test - mean) / std

teacher = mlp(192, dropout=0.4)
optimizer = torch.optim.AdamW(teacher.parameters(), lr=1e-3, weight_decay=0.05)
for epoch in range(12):
    teacher.train()
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = F.cross_entropy(teacher(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(f"teacher, epoch {epoch}: loss {loss.item():.4f} accuracy {accuracy(teacher):.4f}")
teacher.eval()
teacher.requires_grad_(False)

student = mlp(24)
optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
T = 3.0
for epoch in range(15):
    student.train()
    for rows in torch.randperm(len(x)).split(64):
        with torch.no_grad():
            soft = F.softmax(teacher(x[rows]) / T, 1)
        logits = student(x[rows])
        distil = F.kl_div(F.log_softmax(logits / T, 1), soft, reduction="batchmean") * T * T
        loss = 0.7 * distil + 0.3 * F.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    print(f"student, epoch {epoch}: loss {loss.item():.4f} accuracy {accuracy(student):.4f}")

print(f"metric: {accuracy(student):.4f}")
