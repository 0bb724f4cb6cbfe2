"""A tiny network for a sorting machine learns bean varieties from a bigger one's softened outputs.

family: mlp
metric: accuracy, higher
"""

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Teacher(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(128, n_out),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


class Student(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.fc1 = nn.Linear(n_in, 32)
        self.fc2 = nn.Linear(32, n_out)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def kd_loss(student_logits, teacher_logits, labels, T=4.0, alpha=0.7):
    soft = F.kl_div(
        F.log_softmax(student_logits / T, dim=1), F.softmax(teacher_logits / T, dim=1), reduction="batchmean"
    )
    hard = F.cross_entropy(student_logits, labels)
    return alpha * T * T * soft + (1 - alpha) * hard


def evaluate(model, X, y):
    model.eval()
    with torch.no_grad():
        return (model(X).argmax(1) == y).float().mean().item()


def train_teacher(teacher, loader, epochs):
    opt = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for epoch in range(epochs):
        teacher.train()
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(teacher(xb), yb)
            loss.backward()
            opt.step()
        print(f"teacher epoch {epoch + 1}: last loss {loss.item():.4f}")


def distil(student, teacher, loader, epochs):
    teacher.eval()
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    sched = torch.optim.lr_scheduler.StepLR(opt, step_size=6, gamma=0.5)
    for epoch in range(epochs):
        student.train()
        total = 0.0
        for xb, yb in loader:
            with torch.no_grad():
                soft_targets = teacher(xb)
            opt.zero_grad()
            loss = kd_loss(student(xb), soft_targets, yb)
            loss.backward()
            opt.step()
            total += loss.item()
        sched.step()
        print(f"student epoch {epoch + 1}: loss {total / len(loader):.4f}")


if __name__ == "__main__":
    torch.manual_seed(6)
    X, y = make_classification(
        n_samples=6000, n_features=16, n_informative=10, n_redundant=4, n_classes=7, n_clusters_per_class=2,
        class_sep=1.6, flip_y=0.02, random_state=6,
    )  # fmt: skip
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=6, stratify=y)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = (torch.from_numpy(scaler.transform(a).astype(np.float32)) for a in (X_train, X_test))
    y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)
    loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)

    teacher, student = Teacher(16, 7), Student(16, 7)
    train_teacher(teacher, loader, epochs=10)
    print(f"teacher accuracy {evaluate(teacher, X_test, y_test):.4f}")
    distil(student, teacher, loader, epochs=16)
    print(f"metric: {evaluate(student, X_test, y_test):.4f}")
