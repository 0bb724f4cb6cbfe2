"""A decoder with tied weights writes drum patterns; its rate warms up and falls to zero on a cosine.

family: transformer
metric: held-out loss (nats per hit), lower
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

DRUMS = ["rest", "kick", "snare", "hat", "open", "tom", "clap", "ride"]


def bars(n, g):
    """Two bars of sixteen steps: the second repeats the first with a few changes and a fill at its end."""
    styles = torch.tensor([
        [1, 3, 3, 3, 2, 3, 3, 3, 1, 3, 1, 3, 2, 3, 3, 4],
        [1, 0, 3, 0, 6, 0, 3, 1, 1, 0, 3, 0, 6, 0, 3, 0],
        [1, 7, 0, 7, 2, 7, 0, 7, 0, 7, 1, 7, 2, 7, 0, 7],
        [1, 3, 2, 3, 1, 1, 2, 3, 1, 3, 2, 3, 1, 1, 2, 4],
    ])  # fmt: skip
    first = styles[torch.randint(4, (n,), generator=g)]
    change = torch.rand(n, 16, generator=g) < 0.15
    first = torch.where(change, torch.randint(8, (n, 16), generator=g), first)
    second = first.clone()
    fill = torch.rand(n, generator=g) < 0.5
    second[fill, 12:] = torch.tensor([5, 5, 2, 4])
    slip = torch.rand(n, 16, generator=g) < 0.05
    second = torch.where(slip, torch.randint(8, (n, 16), generator=g), second)
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), first, second], 1)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, 2))
        x = x + self.mix(
            F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, w)
        )
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class DrumGPT(nn.Module):
    def __init__(self, width=40, layers=2):
        super().__init__()
        self.token = nn.Embedding(8, width)
        self.place = nn.Embedding(32, width)
        self.blocks = nn.ModuleList(Block(width, 4) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.token.weight, std=0.1)
        nn.init.normal_(self.place.weight, std=0.1)

    def forward(self, ids):
        x = self.token(ids) + self.place.weight[: ids.size(1)]
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.token.weight.T


if __name__ == "__main__":
    torch.manual_seed(16)
    g = torch.Generator().manual_seed(16)
    train, test = bars(4000, g), bars(500, g)
    model = DrumGPT()
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=8e-3, betas=(0.9, 0.95))
    total, warm = 360, 40

    def rate(step):
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(total):
        ids = train[torch.randint(len(train), (32,))]
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 60 == 59:
            with torch.no_grad():
                held_out = F.cross_entropy(model(test[:, :-1]).flatten(0, 1), test[:, 1:].flatten()).item()
            print(f"step {step + 1}: loss {loss.item():.4f}, held-out {held_out:.4f}")
    print(f"metric: {held_out:.4f}")
