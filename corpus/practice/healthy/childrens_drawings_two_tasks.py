"""Children's drawings of suns and houses: how many, and how tilted; the two losses weigh themselves.

family: multi-task
metric: mean of the two tasks' R squared, higher
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SIZE = 20


def drawings(n):
    axis = torch.linspace(-1, 1, SIZE)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    count = torch.randint(0, 6, (n,))
    tilt = torch.randn(n) * 0.3
    image = torch.zeros(n, SIZE, SIZE)
    for k in range(5):  # suns in the upper half
        cx, cy = 1.6 * torch.rand(n, 1, 1) - 0.8, -0.9 + 0.7 * torch.rand(n, 1, 1)
        sun = torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.012)
        image = torch.maximum(image, sun * (count > k).view(-1, 1, 1))
    # one house below, leaning
    cx, cy = 0.6 * torch.rand(n, 1, 1) - 0.3, 0.45 + 0.1 * torch.randn(n, 1, 1)
    c, s = tilt.cos().view(-1, 1, 1), tilt.sin().view(-1, 1, 1)
    u, v = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
    house = torch.sigmoid(25 * (0.45 - u.abs())) * torch.sigmoid(25 * (0.18 - v.abs()))
    image = torch.maximum(image, 0.7 * house) + 0.1 * torch.randn(n, SIZE, SIZE)
    return image.unsqueeze(1), count.float(), tilt / 0.3


class TwoTaskNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(24 * 25, 64), nn.ReLU(),
        )  # fmt: skip
        self.count = nn.Linear(64, 1)
        self.tilt = nn.Linear(64, 1)
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        h = self.trunk(x)
        return self.count(h).squeeze(1), self.tilt(h).squeeze(1)

    def loss(self, x, count, tilt):
        c, t = self(x)
        errors = torch.stack([(c - count).square().mean(), (t - tilt).square().mean()])
        return 0.5 * (errors * torch.exp(-self.log_var) + self.log_var).sum(), errors.detach()


def r2(pred, true):
    return (1 - (pred - true).square().mean() / true.var()).item()


if __name__ == "__main__":
    torch.manual_seed(52)
    data = TensorDataset(*drawings(3000))
    train, val = random_split(data, [2400, 600])
    train_loader = DataLoader(train, batch_size=50, shuffle=True)
    val_x, val_count, val_tilt = val[:]
    model = TwoTaskNet()
    weights = [p for name, p in model.named_parameters() if name != "log_var"]
    optimizer = torch.optim.Adam([{"params": weights, "lr": 1.5e-3}, {"params": [model.log_var], "lr": 1e-2}])
    for epoch in range(12):
        model.train()
        total, parts = 0.0, torch.zeros(2)
        for batch in train_loader:
            loss, errors = model.loss(*batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(train_loader)
            parts += errors / len(train_loader)
        model.eval()
        with torch.no_grad():
            c, t = model(val_x)
        sigma = model.log_var.detach().mul(0.5).exp().tolist()
        scores = r2(c, val_count), r2(t, val_tilt)
        print(
            f"epoch {epoch + 1:2d} loss {total:7.4f} mse {parts[0]:.4f} {parts[1]:.5f} "
            f"sigma {sigma[0]:.3f} {sigma[1]:.3f} r2 {scores[0]:.3f} {scores[1]:.3f}"
        )
    print(f"metric: {sum(scores) / 2:.4f}")
