"""Word vectors of a market's talk by skip-gram with negative samples; do like words lie together?

cause: wrong-loss-sign
family: embedding
metric: share of nearest neighbours of the same kind, higher
repair:
    - negative = F.logsigmoid(torch.bmm(u, c.unsqueeze(2)).squeeze(2)).sum(dim=1)
    + negative = F.logsigmoid(-torch.bmm(u, c.unsqueeze(2)).squeeze(2)).sum(dim=1)
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

KINDS = {
    "fruit": "apple pear plum cherry grape melon fig quince lemon orange apricot date",
    "cloth": "silk wool linen cotton velvet felt lace denim satin tweed canvas hemp",
    "metal": "copper tin iron silver brass gold steel lead zinc bronze nickel pewter",
    "animal": "goat hen sheep mule horse duck goose cow pig donkey camel ox",
    "spice": "pepper cumin saffron clove nutmeg ginger cinnamon anise sumac mace fennel thyme",
}
CONTEXT = {
    "fruit": "ripe sweet basket peel juice orchard",
    "cloth": "woven dyed roll stitch soft bale",
    "metal": "forged bright hammer melt heavy ingot",
    "animal": "feed herd rope bleating stable young",
    "spice": "ground jar pinch fragrant sack dried",
}
COMMON = [
    "the",
    "a",
    "of",
    "and",
    "for",
    "sell",
    "buy",
    "price",
    "today",
    "market",
    "trader",
    "two",
    "some",
    "old",
    "new",
    "with",
    "from",
    "her",
    "his",
    "coin",
]

random.seed(6)
torch.manual_seed(6)


def sentence():
    kind = random.choice(list(KINDS))
    goods, around = KINDS[kind].split(), CONTEXT[kind].split()
    pool = random.choices(goods, k=2) + random.choices(around, k=3) + random.choices(COMMON, k=4)
    random.shuffle(pool)
    return pool


corpus = [sentence() for _ in range(4000)]
words = sorted({w for s in corpus for w in s})
index = {w: i for i, w in enumerate(words)}
counts = torch.zeros(len(words))
pairs = []
for s in corpus:
    ids = [index[w] for w in s]
    for i, centre in enumerate(ids):
        counts[centre] += 1
        around = ids[max(0, i - 3) : i] + ids[i + 1 : i + 4]
        pairs += [(centre, other) for other in around]
pairs = torch.tensor(pairs)
noise = counts**0.75


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.in_embed = nn.Embedding(vocab_size, dim)
        self.out_embed = nn.Embedding(vocab_size, dim)
        nn.init.uniform_(self.in_embed.weight, -0.5 / dim, 0.5 / dim)
        nn.init.uniform_(self.out_embed.weight, -0.5 / dim, 0.5 / dim)

    def forward(self, centre, context, negatives):
        c = self.in_embed(centre)
        positive = F.logsigmoid((c * self.out_embed(context)).sum(dim=1))
        u = self.out_embed(negatives)
        negative = F.logsigmoid(torch.bmm(u, c.unsqueeze(2)).squeeze(2)).sum(dim=1)
        return -(positive + negative).mean()


def neighbours_of_kind(vectors, k=5):
    kind = {w: name for name, line in KINDS.items() for w in line.split()}
    goods = [w for w in words if w in kind]
    v = F.normalize(vectors[[index[w] for w in goods]], dim=1)
    similarity = v @ v.T - 2 * torch.eye(len(goods))
    nearest = similarity.topk(k, dim=1).indices
    same = [kind[goods[j]] == kind[w] for w, row in zip(goods, nearest.tolist(), strict=True) for j in row]
    return sum(same) / len(same)


model = SkipGram(len(words))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(1, 1201):
    batch = pairs[torch.randint(len(pairs), (256,))]
    negatives = torch.multinomial(noise, 256 * 5, replacement=True).view(256, 5)
    optimizer.zero_grad()
    loss = model(batch[:, 0], batch[:, 1], negatives)
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}: loss {loss.item():.4f}")

share = neighbours_of_kind(model.in_embed.weight.detach())
print(f"metric: {share:.4f}")
