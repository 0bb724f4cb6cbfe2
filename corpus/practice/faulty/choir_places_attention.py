"""Which voice a choir lacks, from the singers who have come: self-attention over a set, written by hand.

cause: parameters-not-in-optimizer
family: attention
metric: accuracy, higher
repair:
    - trunk = net.trunk_parameters()
    + trunk = list(net.trunk_parameters())
"""

import torch
import torch.nn.functional as F
from torch import nn

VOICES, SINGERS, TRAITS = 6, 20, 8


def rehearsals(n, seed):
    """Singers of the six voices, except that one voice has only a single singer."""
    timbre = 1.6 * torch.randn(VOICES, TRAITS, generator=torch.Generator().manual_seed(9))
    g = torch.Generator().manual_seed(seed)
    lacking = torch.randint(VOICES, (n,), generator=g)
    chance = torch.ones(n, VOICES)
    chance[torch.arange(n), lacking] = 0.0
    voice = torch.multinomial(chance, SINGERS, replacement=True, generator=g)
    voice[:, 0] = lacking
    traits = timbre[voice] + 0.5 * torch.randn(n, SINGERS, TRAITS, generator=g)
    order = torch.rand(n, SINGERS, generator=g).argsort(1)
    return traits.gather(1, order.unsqueeze(-1).expand_as(traits)), lacking


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.mix = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        n, length, dim = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weight = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + self.mix((weight @ v).transpose(1, 2).reshape(n, length, dim))
        return x + self.mlp(x)


class ChoirNet(nn.Module):
    def __init__(self, dim=24, heads=2, layers=2):
        super().__init__()
        self.lift = nn.Linear(TRAITS, dim)
        self.layers = nn.Sequential(*(Layer(dim, heads) for _ in range(layers)))
        self.head = nn.Linear(dim, VOICES)

    def forward(self, singers):
        return self.head(self.layers(self.lift(singers)).mean(1))

    def trunk_parameters(self):
        yield from self.lift.parameters()
        yield from self.layers.parameters()


if __name__ == "__main__":
    torch.manual_seed(90)
    (singers, lacking), (singers_test, lacking_test) = rehearsals(2000, 91), rehearsals(800, 92)
    net = ChoirNet()
    trunk = net.trunk_parameters()
    print(f"{sum(p.numel() for p in trunk):,} weights below the head")
    optimizer = torch.optim.AdamW(
        [
            {"params": trunk, "lr": 3e-3, "weight_decay": 0.01},
            {"params": net.head.parameters(), "lr": 4e-3, "weight_decay": 0.0},
        ]
    )
    for epoch in range(8):
        for index in torch.randperm(len(singers)).split(40):
            loss = F.cross_entropy(net(singers[index]), lacking[index])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimizer.step()
        with torch.no_grad():
            right = (net(singers_test).argmax(1) == lacking_test).float().mean().item()
        print(f"epoch {epoch + 1}: {loss.item():.4f}, right {right:.4f}")
    print(f"metric: {right:.4f}")
