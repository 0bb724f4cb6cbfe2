"""Attention written by hand looks up how much of an item stands on a shopping list.

cause: saturated-units
family: transformer
metric: accuracy, higher
repair:
    - scores = q @ k.transpose(-2, -1) * math.sqrt(q.size(-1))
    + scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

ITEMS, AMOUNTS, ROWS = 100, 12, 14


def lists(n, generator):
    """Rows of item and amount; the question is one of the items, the answer its amount."""
    items = torch.stack([torch.randperm(ITEMS, generator=generator)[:ROWS] for _ in range(n)])
    amounts = torch.randint(AMOUNTS, (n, ROWS), generator=generator)
    asked = torch.randint(ROWS, (n, 1), generator=generator)
    return items, amounts, items.gather(1, asked).squeeze(1), amounts.gather(1, asked).squeeze(1)


def attention(q, k, v):
    scores = q @ k.transpose(-2, -1) * math.sqrt(q.size(-1))
    return F.softmax(scores, dim=-1) @ v


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out = nn.Linear(d_model, d_model)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)

    def forward(self, query, memory):
        q, k, v = self.q_proj(query), self.k_proj(memory), self.v_proj(memory)
        q, k, v = self.split(q), self.split(k), self.split(v)
        x = attention(q, k, v).transpose(1, 2).flatten(2)
        return self.out(x)


class ListReader(nn.Module):
    def __init__(self, d_model=128, heads=2):
        super().__init__()
        self.item = nn.Embedding(ITEMS, d_model)
        self.amount = nn.Embedding(AMOUNTS, d_model)
        self.attend = MultiHeadAttention(d_model, heads)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.feed_forward = nn.Sequential(nn.Linear(d_model, 128), nn.GELU(), nn.Linear(128, d_model))
        self.answer = nn.Linear(d_model, AMOUNTS)

    def forward(self, items, amounts, asked):
        memory = self.item(items) + self.amount(amounts)
        x = self.item(asked)[:, None]
        x = self.norm1(x + self.attend(x, memory))
        x = self.norm2(x + self.feed_forward(x))
        return self.answer(x[:, 0])


def accuracy(model, data):
    *inputs, answer = data
    model.eval()
    with torch.no_grad():
        return (model(*inputs).argmax(1) == answer).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(30)
    generator = torch.Generator().manual_seed(30)
    train, test = lists(3000, generator), lists(1000, generator)
    model = ListReader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        total = 0.0
        for idx in torch.randperm(3000).split(64):
            items, amounts, asked, answer = (part[idx] for part in train)
            loss = F.cross_entropy(model(items, amounts, asked), answer)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
        print(f"epoch {epoch + 1} loss {total / 3000:.4f} accuracy {accuracy(model, test):.4f}")
    print(f"metric: {accuracy(model, test):.4f}")
