"""The priority of tickets, 1 to 5, by an ordinal network: one score and four learnt thresholds.

family: mlp
metric: mean absolute error (levels), lower
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(34)

n, features = 5000, 14
x = torch.randn(n, features)
x[:, 10:] = (x[:, 10:] > 0.5).float()
urgency = x[:, 0] + 0.8 * x[:, 1] * x[:, 10] + torch.relu(x[:, 2]) - 0.6 * x[:, 3].abs() + 0.7 * x[:, 11]
urgency = urgency + 0.5 * torch.randn(n)
level = torch.bucketize(urgency, torch.tensor([-0.9, 0.3, 1.4, 2.4]))
print("tickets by priority:", torch.bincount(level).tolist())
passed = (level[:, None] > torch.arange(4)).float()


class Ordinal(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(features, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1, bias=False)
        )
        self.first = nn.Parameter(torch.tensor(-1.5))
        self.gaps = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        thresholds = self.first + torch.cat([torch.zeros(1), nn.functional.softplus(self.gaps).cumsum(0)])
        return self.score(x) - thresholds


model = Ordinal()
loader = DataLoader(TensorDataset(x[:4000], passed[:4000]), batch_size=50, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(14):
    model.train()
    running = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        guess = (model(x[4000:]) > 0).sum(1)
    error = (guess - level[4000:]).abs().float().mean().item()
    print(f"epoch {epoch + 1:2d}: loss {running / len(loader):.4f}, off by {error:.4f} levels")

print(f"metric: {error:.4f}")
