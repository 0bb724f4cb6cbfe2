"""Does an answer paraphrase the model answer? A pair scorer on fixed word vectors.

family: siamese
metric: auc, higher
"""

import random

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, Dataset

random.seed(88)
np.random.seed(88)
torch.manual_seed(88)

TOPICS, SYNONYMS = 60, 5
DIM, LENGTH = 32, 10

# "pre-trained" vectors: synonyms lie near each other
centres = np.random.randn(TOPICS, DIM)
VECTORS = (centres[:, None] + 0.7 * np.random.randn(TOPICS, SYNONYMS, DIM)).reshape(-1, DIM)
VECTORS = np.concatenate([np.zeros((1, DIM)), VECTORS]).astype(np.float32)


def word(topic):
    return 1 + topic * SYNONYMS + random.randrange(SYNONYMS)


def pad(words):
    return words[:LENGTH] + [0] * (LENGTH - len(words))


def pair():
    topics = random.sample(range(TOPICS), random.randint(5, 8))
    model_answer = [word(t) for t in topics]
    good = random.random() < 0.5
    swapped = random.randint(0, 1) if good else random.randint(2, 3)
    answer = topics[:]
    for i in random.sample(range(len(answer)), swapped):
        answer[i] = random.randrange(TOPICS)
    random.shuffle(answer)
    return pad(model_answer), pad([word(t) for t in answer]), float(good)


class Pairs(Dataset):
    def __init__(self, n):
        self.rows = [pair() for _ in range(n)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        a, b, good = self.rows[i]
        return torch.tensor(a), torch.tensor(b), torch.tensor(good)


class PairScorer(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(torch.tensor(vectors), freeze=True, padding_idx=0)
        self.project = nn.Linear(DIM, 48, bias=False)
        self.score = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))

    def forward(self, a, b):
        ea = nn.functional.normalize(self.project(self.embed(a)), dim=-1, eps=1e-6)
        eb = nn.functional.normalize(self.project(self.embed(b)), dim=-1, eps=1e-6)
        similarity = ea @ eb.transpose(1, 2)
        ma, mb = (a > 0).float(), (b > 0).float()
        best_a = similarity.amax(2)
        best_b = similarity.amax(1)
        mean_a = (best_a * ma).sum(1) / ma.sum(1)
        mean_b = (best_b * mb).sum(1) / mb.sum(1)
        low_a = torch.where(a > 0, best_a, 2.0).amin(1)
        low_b = torch.where(b > 0, best_b, 2.0).amin(1)
        return self.score(torch.stack([mean_a, mean_b, low_a, low_b], dim=1)).squeeze(1)


train, test = Pairs(9600), Pairs(800)
loader = DataLoader(train, batch_size=64, shuffle=True)
test_loader = DataLoader(test, batch_size=400)
model = PairScorer(VECTORS)
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=2e-3)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(5):
    model.train()
    losses = []
    for a, b, good in loader:
        optimizer.zero_grad()
        loss = criterion(model(a, b), good)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        results = [(model(a, b), good) for a, b, good in test_loader]
    auc = roc_auc_score(torch.cat([g for _, g in results]), torch.cat([s for s, _ in results]))
    print(f"epoch {epoch + 1} loss {np.mean(losses):.4f} test auc {auc:.4f}")
print(f"metric: {auc:.4f}")
