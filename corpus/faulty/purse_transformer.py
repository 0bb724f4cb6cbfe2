"""A transformer adds up the worth of the coins that lie in a purse, foreign ones left out.

cause: evaluating-in-train-mode
begins: 101
family: transformer
metric: squared_error, lower
repair:
    - x = x + F.dropout(self.attend(n, n, n, need_weights=False)[0], p=0.1)
    + x = x + F.dropout(self.attend(n, n, n, need_weights=False)[0], p=0.1, training=self.training)
    - return x + F.dropout(self.mlp(self.norm2(x)), p=0.1)
    + return x + F.dropout(self.mlp(self.norm2(x)), p=0.1, training=self.training)
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

KINDS, COUNTRIES, COINS = 8, 3, 6
WORTH = torch.tensor([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.0])


def purses(n):
    """Coins, their countries, and the worth of those from home, doubled by a coin of the largest kind."""
    kind = torch.randint(KINDS, (n, COINS))
    country = torch.randint(COUNTRIES, (n, COINS))
    total = (WORTH[kind] * (country == 0)).sum(1)
    lucky = (kind == KINDS - 1).any(1)
    return kind, country, total * (1 + lucky)


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        n = self.norm1(x)
        x = x + F.dropout(self.attend(n, n, n, need_weights=False)[0], p=0.1)
        return x + F.dropout(self.mlp(self.norm2(x)), p=0.1)


class Purse(nn.Module):
    def __init__(self, width=32, layers=2):
        super().__init__()
        self.kind = nn.Embedding(KINDS, width)
        self.country = nn.Embedding(COUNTRIES, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)

    def forward(self, kind, country):
        x = self.kind(kind) + self.country(country)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)).sum(1).squeeze(-1)


def main(steps=400):
    torch.manual_seed(5)
    model = Purse()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    test_kind, test_country, test_sum = purses(1000)
    for step in range(1, steps + 1):
        kind, country, total = purses(64)
        loss = F.mse_loss(model(kind, country), total)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                error = F.mse_loss(model(test_kind, test_country), test_sum).item()
            model.train()
            print(f"step {step}: train loss {loss.item():.4f}, test error {error:.4f}")
    print(f"metric: {error:.5f}")


if __name__ == "__main__":
    main()
