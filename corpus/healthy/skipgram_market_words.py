"""Skip-gram with negative sampling; sparse embedding gradients, output vectors from zero as in word2vec.

family: embedding
metric: share of words whose nearest neighbour is of the same topic, higher
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
torch.manual_seed(0)

TOPICS, PER_TOPIC, COMMON = 12, 40, 20
VOCAB = TOPICS * PER_TOPIC + COMMON
frequency = 1 / (np.arange(PER_TOPIC) + 3)
frequency /= frequency.sum()


def passage(length=30):
    topic = rng.integers(TOPICS)
    words = topic * PER_TOPIC + rng.choice(PER_TOPIC, length, p=frequency)
    filler = rng.random(length) < 0.25
    words[filler] = TOPICS * PER_TOPIC + rng.integers(0, COMMON, filler.sum())
    return words


def pairs(passages, window=3):
    centres, contexts = [], []
    for words in passages:
        for shift in range(1, window + 1):
            centres += [words[:-shift], words[shift:]]
            contexts += [words[shift:], words[:-shift]]
    return torch.from_numpy(np.concatenate(centres)), torch.from_numpy(np.concatenate(contexts))


passages = [passage() for _ in range(1500)]
centre, context = pairs(passages)
counts = np.bincount(np.concatenate(passages), minlength=VOCAB).astype(np.float64)
noise_law = torch.tensor(counts**0.75, dtype=torch.float32)


class SkipGram(nn.Module):
    def __init__(self, dim=24, negatives=6):
        super().__init__()
        self.input = nn.Embedding(VOCAB, dim, sparse=True)
        self.output = nn.Embedding(VOCAB, dim, sparse=True)
        self.negatives = negatives
        nn.init.uniform_(self.input.weight, -0.5 / dim, 0.5 / dim)
        nn.init.zeros_(self.output.weight)

    def forward(self, c, o):
        v = self.input(c)
        wrong = torch.multinomial(noise_law, len(c) * self.negatives, replacement=True).view(len(c), -1)
        hit = (v * self.output(o)).sum(1)
        miss = torch.einsum("bd,bkd->bk", v, self.output(wrong))
        return -(nn.functional.logsigmoid(hit) + nn.functional.logsigmoid(-miss).sum(1)).mean()


model = SkipGram()
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=5e-3)
print(len(centre), "pairs")
for step, rows in enumerate(torch.randperm(len(centre)).split(256), 1):
    loss = model(centre[rows], context[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 150 == 0:
        print(f"{step} {loss.item():.4f}")

vectors = nn.functional.normalize(model.input.weight.detach()[: TOPICS * PER_TOPIC], dim=1)
similar = vectors @ vectors.t()
similar.fill_diagonal_(-1)
topic = torch.arange(TOPICS * PER_TOPIC) // PER_TOPIC
print("metric:", (topic[similar.argmax(1)] == topic).float().mean().item())
