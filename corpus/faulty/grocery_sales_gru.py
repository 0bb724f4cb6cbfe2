"""Next week's sales of a grocer, from the last weeks of five series, with a GRU.

cause: poor-initial-values
also: saturated-units
family: rnn
metric: R², higher
repair:
    - nn.init.normal_(param, mean=0.0, std=1.0)
    + nn.init.normal_(param, mean=0.0, std=0.1)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WINDOW, WEEKS, SHOPS = 26, 210, 40


def simulate(rng):
    """Sales, advertising, price, holidays and temperature, standardised, per shop and week."""
    week = np.arange(WEEKS)
    holiday = (week % 26 == 20).astype(float)
    shops = []
    for _ in range(SHOPS):
        temperature = np.sin(2 * np.pi * (week - 12) / 52) + 0.3 * rng.normal(size=WEEKS)
        advert = (rng.random(WEEKS) < 0.15) * rng.uniform(0.5, 2, WEEKS)
        price = np.cumsum(0.1 * rng.normal(size=WEEKS))
        price -= price.mean()
        carried, sales = 0.0, np.zeros(WEEKS)
        for i in range(1, WEEKS):
            carried = 0.6 * carried + advert[i - 1]
            sales[i] = 0.5 * sales[i - 1] + 0.5 * temperature[i - 1] + 0.8 * np.tanh(carried)
            sales[i] += -0.5 * price[i - 1] + 0.8 * holiday[i] + 0.25 * rng.normal()
        table = np.stack([sales, advert, price, np.roll(holiday, -1), temperature], axis=1)
        shops.append((table - table.mean(0)) / table.std(0))
    return np.stack(shops).astype(np.float32)


class Windows(Dataset):
    def __init__(self, table, first, last):
        self.table = torch.from_numpy(table)
        self.index = [(s, t) for s in range(SHOPS) for t in range(first, last)]

    def __len__(self):
        return len(self.index)

    def __getitem__(self, i):
        shop, t = self.index[i]
        return self.table[shop, t - WINDOW : t], self.table[shop, t, 0]


class SalesGRU(nn.Module):
    def __init__(self, n_series=5, hidden=48):
        super().__init__()
        self.gru = nn.GRU(n_series, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.fc = nn.Linear(hidden, 1)
        self.init_weights()

    def init_weights(self):
        for name, param in self.named_parameters():
            if "weight" in name:
                nn.init.normal_(param, mean=0.0, std=1.0)
            else:
                nn.init.constant_(param, 0.0)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(self.dropout(out[:, -1])).squeeze(1)


def main():
    torch.manual_seed(14)
    table = simulate(np.random.default_rng(14))
    train_loader = DataLoader(Windows(table, WINDOW, 150), batch_size=64, shuffle=True)
    test_loader = DataLoader(Windows(table, 150, WEEKS), batch_size=400)
    model = SalesGRU()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.MSELoss()
    for epoch in range(5):
        model.train()
        train_loss = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
        model.eval()
        with torch.no_grad():
            pairs = [(model(x), y) for x, y in test_loader]
        guess, truth = (torch.cat(part) for part in zip(*pairs, strict=True))
        r2 = 1 - ((guess - truth) ** 2).mean() / truth.var()
        print(f"epoch {epoch + 1}: train loss {train_loss / len(train_loader):.4f}, test R2 {r2:.4f}")
    print(f"metric: {r2:.4f}")


if __name__ == "__main__":
    main()
