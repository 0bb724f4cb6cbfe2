"""A network of hand-written layers that guesses the author of a ballad verse from its words.

cause: poor-initial-values
family: mlp
metric: accuracy, higher
repair:
    - self.weight = nn.Parameter(torch.rand(n_in, n_out))
    - self.bias = nn.Parameter(torch.rand(n_out))
    + self.weight = nn.Parameter((2 * torch.rand(n_in, n_out) - 1) / n_in**0.5)
    + self.bias = nn.Parameter(torch.zeros(n_out))
"""

import random
from collections import Counter

import torch
import torch.nn as nn

LEXICON = """sea ship sailor storm wave harbour anchor wind moon night star silver castle knight sword king
queen tower horse battle banner rose garden lover kiss heart tears maiden meadow spring bird
nightingale forest wolf hunter snow winter fire hearth mother child cradle grave bell church
priest ghost shadow death river mill miller bread field plough harvest summer inn wine song
fiddle dance road wanderer far home old young gold ring"""
WORDS = LEXICON.split()
FILLERS = [
    "the",
    "a",
    "and",
    "of",
    "in",
    "to",
    "with",
    "my",
    "her",
    "his",
    "was",
    "were",
    "when",
    "then",
    "so",
    "but",
    "all",
    "one",
    "never",
    "ever",
]
AUTHORS = ["brandt", "ellery", "fontaine", "merrick", "osterley", "quill"]


class Author:
    def __init__(self, rng):
        # an author likes some words, and likes some of them together
        self.weights = [rng.gammavariate(0.9, 1.0) for _ in WORDS]
        self.pairs = [rng.sample(range(len(WORDS)), 2) for _ in range(8)]

    def verse(self, rng):
        words = rng.choices(WORDS, self.weights, k=rng.randint(8, 14))
        for a, b in rng.sample(self.pairs, 2):
            words += [WORDS[a], WORDS[b]]
        words += rng.choices(FILLERS, k=rng.randint(10, 18))
        rng.shuffle(words)
        return " ".join(words)


def vectorise(texts, vocabulary, document_share):
    rows = torch.zeros(len(texts), len(vocabulary))
    for i, text in enumerate(texts):
        for word, count in Counter(text.split()).items():
            rows[i, vocabulary[word]] = count
    rows = rows * torch.log(1 / document_share)
    return rows / rows.norm(dim=1, keepdim=True)


class MyLinear(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(n_in, n_out))
        self.bias = nn.Parameter(torch.rand(n_out))

    def forward(self, x):
        return x @ self.weight + self.bias


class MyNet(nn.Module):
    def __init__(self, n_words, n_authors):
        super().__init__()
        self.l1 = MyLinear(n_words, 128)
        self.l2 = MyLinear(128, 64)
        self.l3 = MyLinear(64, n_authors)

    def forward(self, x):
        x = torch.relu(self.l1(x))
        x = torch.relu(self.l2(x))
        return self.l3(x)


rng = random.Random(1797)
torch.manual_seed(1797)
authors = [Author(rng) for _ in AUTHORS]
labels = [rng.randrange(len(AUTHORS)) for _ in range(2800)]
texts = [authors[k].verse(rng) for k in labels]
vocabulary = {w: i for i, w in enumerate(sorted(set(WORDS + FILLERS)))}
share = torch.tensor([sum(w in t.split() for t in texts[:2200]) / 2200 for w in vocabulary]).clamp(min=1e-3)
X, y = vectorise(texts, vocabulary, share), torch.tensor(labels)
X_train, y_train, X_test, y_test = X[:2200], y[:2200], X[2200:], y[2200:]

net = MyNet(len(vocabulary), len(AUTHORS))
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(25):
    order = torch.randperm(len(X_train))
    total = 0.0
    for i in range(0, len(order), 32):
        rows = order[i : i + 32]
        optimizer.zero_grad()
        loss = loss_function(net(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    with torch.no_grad():
        accuracy = (net(X_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch + 1}: loss {total / len(order):.3f}, accuracy on unseen verses {accuracy:.3f}")

print(f"metric: {accuracy:.4f}")
