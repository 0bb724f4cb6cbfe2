"""Grades of worn ornaments: neighbours look alike and nobody gets far above two thirds.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Ornaments(torch.utils.data.Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        axis = np.linspace(-1, 1, 20)
        x, y = np.meshgrid(axis, axis)
        r, a = np.hypot(x, y), np.arctan2(y, x)
        wear = rng.uniform(0, 4, n)
        self.pictures = []
        for w in wear:
            rosette = np.cos(rng.integers(5, 9) * a + rng.uniform(0, 6)) * np.exp(-(((r - 0.55) / 0.3) ** 2))
            scratches = rng.normal(0, 0.15 + 0.05 * w, r.shape)
            self.pictures.append((1.4 - 0.3 * w) * rosette + scratches)
        self.pictures = torch.tensor(np.stack(self.pictures), dtype=torch.float32).unsqueeze(1)
        # the curators' grade: the wear as they saw it
        self.grades = torch.tensor(np.clip(wear + rng.normal(0, 0.4, n), 0, 3.99).astype(int))

    def __len__(self):
        return len(self.grades)

    def __getitem__(self, i):
        return self.pictures[i], self.grades[i]


class GradeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 24, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(24)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(24 * 25, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc(self.dropout(x.flatten(1)))


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    loss = hits = 0
    for x, y in loader:
        out = model(x)
        loss += F.cross_entropy(out, y, reduction="sum").item()
        hits += (out.argmax(1) == y).sum().item()
    return loss / len(loader.dataset), hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(33)
    train = torch.utils.data.DataLoader(Ornaments(2400, 1), batch_size=48, shuffle=True)
    valid = torch.utils.data.DataLoader(Ornaments(400, 2), batch_size=100)
    test = torch.utils.data.DataLoader(Ornaments(600, 3), batch_size=100)
    model = GradeNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=1)
    best, kept = float("inf"), None
    for epoch in range(12):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        valid_loss, valid_acc = evaluate(model, valid)
        scheduler.step(valid_loss)
        if valid_loss < best:
            best, kept = valid_loss, {k: v.clone() for k, v in model.state_dict().items()}
        rate = optimizer.param_groups[0]["lr"]
        print(f"epoch {epoch} valid loss {valid_loss:.4f} accuracy {valid_acc:.3f} lr {rate:g}")
    model.load_state_dict(kept)
    print(f"metric: {evaluate(model, test)[1]:.4f}")
