"""Reviews of restaurants: an encoder fills in missing words, then is tuned on sixty judged reviews.

family: transformer
metric: accuracy, higher
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(0)
torch.manual_seed(0)
GOOD = ["superb", "tasty", "lovely", "fresh", "generous", "friendly", "perfect", "warm", "charming", "crisp"]
BAD = ["bland", "stale", "rude", "soggy", "greasy", "cold", "tiny", "burnt", "dirty", "awful"]
THINGS = ["soup", "waiter", "terrace", "bread", "pasta", "bill", "wine", "dessert", "kitchen", "fish"]
GLUE = ["the", "was", "and", "i", "found", "quite", "very", "really", "it"]
WORDS = ["[mask]", *GOOD, *BAD, *THINGS, *GLUE]
ID = {w: i for i, w in enumerate(WORDS)}
LENGTH = 10


def review(mood):
    pick = [random.choice(GOOD if (random.random() < 0.9) == mood else BAD) for _ in range(3)]
    a, b = random.choices(THINGS, k=2)
    degree = random.choice(["quite", "very", "really"])
    return ["the", a, "was", degree, pick[0], "and", "the", b, pick[1], pick[2]]


def reviews(n):
    moods = [random.random() < 0.5 for _ in range(n)]
    return torch.tensor([[ID[w] for w in review(m)] for m in moods]), torch.tensor(moods).long()


class Encoder(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.words = nn.Embedding(len(WORDS), d)
        self.places = nn.Embedding(LENGTH, d)
        layer = nn.TransformerEncoderLayer(d, 4, 96, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.layers(self.words(x) + self.places(torch.arange(x.shape[1])))


encoder = Encoder()
guess = nn.Linear(48, len(WORDS))
optimizer = torch.optim.AdamW([*encoder.parameters(), *guess.parameters()], lr=2e-3)
corpus, _ = reviews(6000)
for step in range(350):
    x = corpus[torch.randint(0, len(corpus), (48,))]
    hidden = torch.rand(x.shape) < 0.25
    logits = guess(encoder(x.masked_fill(hidden, 0)))
    loss = F.cross_entropy(logits[hidden], x[hidden])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"filling in, step {step}: {loss.item():.3f}")

few, few_moods = reviews(60)
test, test_moods = reviews(600)
head = nn.Linear(48, 2)
optimizer = torch.optim.AdamW(
    [{"params": encoder.parameters(), "lr": 5e-5}, {"params": head.parameters(), "lr": 3e-3}],
    weight_decay=0.01,
)


def judge(x):
    return head(encoder(x).mean(1))


for epoch in range(25):
    encoder.train()
    for rows in torch.randperm(len(few)).split(12):
        loss = F.cross_entropy(judge(few[rows]), few_moods[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
    encoder.eval()
    with torch.no_grad():
        acc = (judge(test).argmax(1) == test_moods).float().mean().item()
    if epoch % 4 == 0:
        print(f"tuning, epoch {epoch}: loss {loss.item():.3f} accuracy {acc:.3f}")
print("metric:", acc)
