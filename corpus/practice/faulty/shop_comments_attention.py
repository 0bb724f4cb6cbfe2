"""Stars that customers give, from the words of their comment; one attention layer over padded tokens.

cause: not-finite
begins: 47
family: transformer
metric: accuracy, higher
repair:
    - rows = load_comments(4200)
    + rows = [row for row in load_comments(4200) if row[0].split()]
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

GOOD = "great lovely sturdy quick perfect comfortable recommend bargain beautiful reliable".split()
BAD = "broken late flimsy ugly refund scratched useless noisy wrong disappointing".split()
PLAIN = "the a it was and my for with box order colour size arrived bought kitchen week parcel son".split()
FLIP = ["not", "hardly", "never"]
MAX_LEN = 20


def write_comment(stars):
    words = random.choices(PLAIN, k=random.randint(3, 8))
    for _ in range(random.randint(2, 4)):
        positive = random.random() < (0.04, 0.5, 0.96)[stars]
        if random.random() < 0.15:
            phrase = [random.choice(FLIP), random.choice(BAD if positive else GOOD)]
        else:
            phrase = [random.choice(GOOD if positive else BAD)]
        where = random.randint(0, len(words))
        words[where:where] = phrase
    return " ".join(words)


def load_comments(n):
    rows = []
    for _ in range(n):
        stars = random.randrange(3)
        # some customers click on the stars and write nothing
        text = "" if random.random() < 0.0006 else write_comment(stars)
        rows.append((text, stars))
    return rows


def encode(rows, vocab):
    ids = torch.zeros(len(rows), MAX_LEN, dtype=torch.long)
    for i, (text, _) in enumerate(rows):
        tokens = [vocab[w] for w in text.split()][:MAX_LEN]
        ids[i, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
    return ids, torch.tensor([stars for _, stars in rows])


class CommentModel(nn.Module):
    def __init__(self, vocab_size, dim=64, heads=4):
        super().__init__()
        self.heads = heads
        self.tok = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.pos = nn.Parameter(0.02 * torch.randn(MAX_LEN, dim))
        self.drop = nn.Dropout(0.2)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 128), nn.GELU(), nn.Linear(128, dim))
        self.out = nn.Linear(dim, 3)

    def forward(self, ids):
        b, t = ids.shape
        pad = ids == 0
        x = self.drop(self.tok(ids) + self.pos)
        q, k, v = (
            z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        scores = q @ k.transpose(-2, -1) / q.size(-1) ** 0.5
        scores = scores.masked_fill(pad[:, None, None, :], float("-inf"))
        att = F.softmax(scores, dim=-1)
        x = x + self.proj((att @ v).transpose(1, 2).reshape(b, t, -1))
        x = x + self.ff(self.norm2(x))
        keep = (~pad).float().unsqueeze(-1)
        return self.out((x * keep).sum(1) / keep.sum(1).clamp(min=1))


random.seed(7)
torch.manual_seed(7)
rows = load_comments(4200)
vocab = {w: i + 1 for i, w in enumerate(GOOD + BAD + PLAIN + FLIP)}
test_rows = [row for row in rows[-700:] if row[0]]
train_ids, train_y = encode(rows[:-700], vocab)
test_ids, test_y = encode(test_rows, vocab)

model = CommentModel(len(vocab) + 1)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(7):
    model.train()
    running = 0.0
    batches = torch.randperm(len(train_ids)).split(64)
    for idx in batches:
        loss = F.cross_entropy(model(train_ids[idx]), train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        acc = (model(test_ids).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch} | loss {running / len(batches):.4f} | test acc {acc:.4f}")
print(f"metric: {acc:.4f}")
