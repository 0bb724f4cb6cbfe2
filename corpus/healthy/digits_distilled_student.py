"""A small student of handwritten digits, taught by a larger network.

family: mlp
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

TEMPERATURE = 3.0


def teacher_net():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(64, 10),
    )


def student_net():
    return nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def teach_teacher(net, x, y, epochs=12):
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        net.train()
        for pick in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(x[pick]), y[pick]).backward()
            optimizer.step()
    return net


def distil(teacher, student, x, y, epochs=26, alpha=0.7):
    teacher.eval()
    for p in teacher.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.Adam(student.parameters(), lr=6e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        student.train()
        for pick in torch.randperm(len(x)).split(64):
            # The student sees each digit with a little noise; the teacher says what it is.
            noisy = x[pick] + 0.1 * torch.randn(len(pick), 64)
            with torch.no_grad():
                soft = F.log_softmax(teacher(noisy) / TEMPERATURE, dim=1)
            logits = student(noisy)
            kl = F.kl_div(
                F.log_softmax(logits / TEMPERATURE, dim=1), soft, reduction="batchmean", log_target=True
            )
            loss = alpha * TEMPERATURE**2 * kl + (1 - alpha) * F.cross_entropy(logits, y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 5 == 0:
            print(f"epoch {epoch:2d} loss {loss.item():.4f} kl {kl.item():.4f}")
    return student


if __name__ == "__main__":
    torch.manual_seed(8)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32) / 8 - 1, torch.tensor(y)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    x, x_test, y, y_test = x[:1300], x[1300:], y[:1300], y[1300:]
    teacher = teach_teacher(teacher_net(), x, y)
    print(f"teacher {accuracy(teacher, x_test, y_test):.4f}")
    student = distil(teacher, student_net(), x, y)
    print(f"metric: {accuracy(student, x_test, y_test):.4f}")
