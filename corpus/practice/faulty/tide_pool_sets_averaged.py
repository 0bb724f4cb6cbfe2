"""Which of seven shores a haul comes from: a set transformer over its animals, judged by averaged weights.

cause: evaluating-in-train-mode
begins: 61
family: transformer
metric: accuracy, higher
repair:
    - averaged = Averaged(model, decay=0.97)
    + averaged = Averaged(model, decay=0.97).eval()
"""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

SHORES, ANIMALS, TRAITS = 7, 10, 5


def hauls(n, seed):
    """Two kinds of animals per shore, in shares that are the shore's own."""
    world = torch.Generator().manual_seed(3)
    centre = torch.randn(SHORES, 2, TRAITS, generator=world)
    share = 0.25 + 0.5 * torch.rand(SHORES, generator=world)
    g = torch.Generator().manual_seed(seed)
    shore = torch.randint(SHORES, (n,), generator=g)
    kind = (torch.rand(n, ANIMALS, generator=g) < share[shore].unsqueeze(1)).long()
    animals = centre[shore.unsqueeze(1), kind] + 1.6 * torch.randn(n, ANIMALS, TRAITS, generator=g)
    return animals, shore


class Attend(nn.Module):
    def __init__(self, dim, heads, p):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Dropout(p), nn.Linear(2 * dim, dim))
        self.drop = nn.Dropout(p)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = x + self.drop(self.out(mixed))
        return x + self.drop(self.feed(self.norm2(x)))


class SetTransformer(nn.Module):
    def __init__(self, dim=32, heads=4, p=0.3):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(TRAITS, dim), nn.Dropout(p))
        self.layers = nn.Sequential(Attend(dim, heads, p), Attend(dim, heads, p))
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(p), nn.Linear(dim, SHORES))

    def forward(self, animals):
        return self.head(self.layers(self.embed(animals)).mean(1))


class Averaged(nn.Module):
    """A copy of a model whose weights trail the model's own."""

    def __init__(self, model, decay):
        super().__init__()
        self.module = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for mine, theirs in zip(self.module.parameters(), model.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.decay)

    def forward(self, animals):
        return self.module(animals)


def score(net, animals, shore):
    with torch.no_grad():
        return (net(animals).argmax(1) == shore).float().mean().item()


def main():
    torch.manual_seed(70)
    animals, shore = hauls(3000, 700)
    animals_test, shore_test = hauls(1200, 701)
    model = SetTransformer()
    averaged = Averaged(model, decay=0.97)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.01)
    for epoch in range(8):
        model.train()
        for idx in torch.randperm(len(shore)).split(50):
            loss = F.cross_entropy(model(animals[idx]), shore[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            averaged.update(model)
        model.eval()
        accuracy = score(averaged, animals_test, shore_test)
        print(f"epoch {epoch + 1}: last loss {loss.item():.4f}, averaged {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
