"""The next note of a melody in a given mode, a causal transformer with a warm-up and a slow decay.

family: transformer
metric: perplexity, lower
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

MODES = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 9, 10], [0, 1, 3, 5, 7, 8, 10]]
REST, NOTES, CONTEXT = 24, 25, 32


def compose(rng):
    mode, tonic = rng.choice(MODES), rng.randrange(5)
    scale = [tonic + 12 * octave + step for octave in range(2) for step in mode]
    scale = [n for n in scale if n < REST]
    motif = [rng.choice([-2, -1, -1, 0, 1, 1, 2]) for _ in range(rng.choice([3, 4]))]
    place, notes = rng.randrange(len(scale)), []
    while len(notes) < CONTEXT + 1:
        for move in motif:
            place = min(max(place + move, 0), len(scale) - 1)
            notes.append(scale[place] if rng.random() > 0.06 else REST)
        if rng.random() < 0.15:
            place = rng.randrange(len(scale))
    return notes[: CONTEXT + 1]


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Linear(4 * dim, dim))
        self.norm_a, self.norm_b = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x, mask):
        x = self.norm_a(x + self.attn(x, x, x, attn_mask=mask, need_weights=False)[0])
        return self.norm_b(x + self.mlp(x))


class MelodyModel(nn.Module):
    def __init__(self, dim=48, heads=4, depth=2):
        super().__init__()
        self.note, self.place = nn.Embedding(NOTES, dim), nn.Embedding(CONTEXT, dim)
        self.layers = nn.ModuleList(Layer(dim, heads) for _ in range(depth))
        self.out = nn.Linear(dim, NOTES)
        self.register_buffer("mask", torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1))

    def forward(self, notes):
        x = self.note(notes) + self.place(torch.arange(CONTEXT))
        for layer in self.layers:
            x = layer(x, self.mask)
        return self.out(x)


def main():
    rng = random.Random(55)
    torch.manual_seed(55)
    melodies = torch.tensor([compose(rng) for _ in range(2700)])
    train, held_out = melodies[:2300], melodies[2300:]
    model = MelodyModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98), eps=1e-9)
    warmup = 80
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, (warmup / (s + 1)) ** 0.5)
    )
    for epoch in range(6):
        model.train()
        for rows in torch.randperm(len(train)).split(32):
            batch = train[rows]
            loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            logits = model(held_out[:, :-1])
            perplexity = F.cross_entropy(logits.flatten(0, 1), held_out[:, 1:].flatten()).exp().item()
        print(f"epoch {epoch}: rate {schedule.get_last_lr()[0]:.1e} perplexity {perplexity:.3f}")
    print(f"metric: {perplexity:.4f}")


if __name__ == "__main__":
    main()
