"""One transformer layer, used three times with the same weights, evaluates nested minimum and maximum calls.

family: weight-sharing
metric: accuracy, higher
"""

import random

import torch
from torch import nn

TOKENS = ["<pad>", "<out>", "(", ")", "min", "max", *"012345"]
ID = {t: i for i, t in enumerate(TOKENS)}
LENGTH = 15


def expression(depth):
    if depth == 0 or random.random() < 0.3:
        value = random.randrange(6)
        return [str(value)], value
    name = random.choice(["min", "max"])
    parts = [expression(depth - 1) for _ in range(2)]
    value = (min if name == "min" else max)(v for _, v in parts)
    return [name, "(", *parts[0][0], *parts[1][0], ")"], value


def samples(n):
    rows, values = [], []
    while len(rows) < n:
        words, value = expression(2)
        if len(words) > 4:
            ids = [ID["<out>"]] + [ID[w] for w in words]
            rows.append(ids + [0] * (LENGTH - len(ids)))
            values.append(value)
    return torch.tensor(rows), torch.tensor(values)


class Shared(nn.Module):
    def __init__(self, width=48, times=3):
        super().__init__()
        self.times = times
        self.token = nn.Embedding(len(TOKENS), width, padding_idx=0)
        self.place = nn.Embedding(LENGTH, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 6)

    def forward(self, ids):
        h = self.token(ids) + self.place.weight
        for _ in range(self.times):
            h = self.layer(h, src_key_padding_mask=ids == 0)
        return self.head(self.norm(h[:, 0]))


def main():
    random.seed(13)
    torch.manual_seed(13)
    x, y = samples(6000)
    x_test, y_test = samples(500)
    model = Shared()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=400, pct_start=0.15)
    step = 0
    while step < 400:
        for rows in torch.randperm(len(x)).split(48):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            step += 1
            if step % 80 == 0:
                model.eval()
                with torch.no_grad():
                    accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
                model.train()
                print(f"step {step}: loss {loss.item():.4f}, accuracy {accuracy:.4f}")
            if step == 400:
                break
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
