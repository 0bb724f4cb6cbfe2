"""How much a coupon raises spending: a shared body and two heads, one for each half of an experiment.

family: multi-task
metric: correlation of predicted and true uplift, higher
"""

import torch
from torch import nn

torch.manual_seed(83)
N = 8000
x = torch.randn(N, 12)
x[:, 8:] = (x[:, 8:] > 0).float()
base = 2 + x[:, 0] + 0.7 * x[:, 1] * x[:, 8] + torch.tanh(x[:, 2]) + 0.5 * x[:, 9]
uplift = 0.6 * torch.relu(x[:, 3] + 0.5) + 0.5 * x[:, 8] - 0.3
treated = torch.rand(N) < 0.5
spent = base + uplift * treated + 1.0 * torch.randn(N)
spent = (spent - spent[:6000].mean()) / spent[:6000].std()


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 64), nn.ELU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ELU())
        self.without = nn.Linear(32, 1)
        self.difference = nn.Linear(32, 1)

    def forward(self, x):
        h = self.body(x)
        return self.without(h).squeeze(1), self.difference(h).squeeze(1)


model = TwoHeads()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
for epoch in range(10):
    model.train()
    total = 0.0
    for rows in torch.randperm(6000).split(64):
        without, difference = model(x[rows])
        error = without + difference * treated[rows] - spent[rows]
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        without, difference = model(x[6000:])
        held_out = (without + difference * treated[6000:] - spent[6000:]).square().mean().item()
        correlation = torch.corrcoef(torch.stack([difference, uplift[6000:]]))[0, 1].item()
    print(
        f"epoch {epoch + 1}: loss {total / 6000:.4f}, held-out {held_out:.4f}, correlation {correlation:.4f}"
    )

print(f"metric: {correlation:.4f}")
