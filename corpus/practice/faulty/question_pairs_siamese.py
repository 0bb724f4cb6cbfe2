"""Whether two questions of a forum ask the same, with a shared encoder and a cosine.

cause: not-finite
family: siamese
metric: accuracy, higher
repair:
    - return v / v.norm(dim=1, keepdim=True)
    + return F.normalize(v, dim=1)
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(30)
torch.manual_seed(30)

TOPICS = {
    "garden": "tomato compost prune seedling slug mulch rose hedge",
    "bike": "chain brake saddle puncture gear spoke pedal helmet",
    "bread": "yeast dough crust knead sourdough oven flour rye",
    "tax": "refund deduction invoice receipt deadline bracket audit form",
    "cats": "litter kitten vet purr whisker flea collar scratch",
    "chess": "opening rook endgame pawn gambit bishop castle clock",
}
TOPICS = {name: words.split() for name, words in TOPICS.items()}
STOP = {"how", "do", "i", "the", "a", "my", "what", "is", "best", "why", "can", "it", "this", "help", "with"}
STOP_LIST = sorted(STOP)
VOCAB = {w: i + 1 for i, w in enumerate(sorted({w for words in TOPICS.values() for w in words}))}
MAX_LEN = 6


def ask(topic):
    n = 0 if random.random() < 0.004 else random.randint(1, 4)
    words = random.choices(TOPICS[topic], k=n) + random.choices(STOP_LIST, k=random.randint(3, 7))
    random.shuffle(words)
    return " ".join(words)


def tokens(question):
    ids = [VOCAB[w] for w in question.split() if w not in STOP and w in VOCAB][:MAX_LEN]
    return ids + [0] * (MAX_LEN - len(ids))


def pairs(n):
    a, b, same = [], [], []
    names = list(TOPICS)
    for _ in range(n):
        first = random.choice(names)
        second = first if random.random() < 0.5 else random.choice([t for t in names if t != first])
        a.append(tokens(ask(first)))
        b.append(tokens(ask(second)))
        same.append(float(first == second))
    return torch.tensor(a), torch.tensor(b), torch.tensor(same)


class QuestionEncoder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB) + 1, dim, padding_idx=0)
        self.project = nn.Linear(dim, 32, bias=False)

    def forward(self, ids):
        v = torch.tanh(self.project(self.embedding(ids).sum(1)))
        return v / v.norm(dim=1, keepdim=True)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = QuestionEncoder()
        self.scale = nn.Parameter(torch.tensor(4.0))
        self.shift = nn.Parameter(torch.tensor(-1.0))

    def forward(self, a, b):
        cosine = (self.encoder(a) * self.encoder(b)).sum(1)
        return self.scale * cosine + self.shift


a, b, same = pairs(3000)
a_test, b_test, same_test = pairs(800)
net = Siamese()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

for epoch in range(14):
    losses = []
    for rows in torch.randperm(len(a)).split(32):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(a[rows], b[rows]), same[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        accuracy = ((net(a_test, b_test) > 0).float() == same_test).float().mean().item()
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f} accuracy {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
