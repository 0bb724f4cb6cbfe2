"""Names, places, trades and dates in transcribed parish registers: BiLSTM with a conditional random field.

family: rnn
metric: F1 over entity tokens on held-out entries, higher
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

TAGS = ["O", "NAME", "PLACE", "TRADE", "DATE"]
SYLL = [
    "an",
    "ber",
    "cor",
    "del",
    "el",
    "fa",
    "gri",
    "ha",
    "is",
    "jo",
    "ka",
    "lu",
    "ma",
    "nor",
    "os",
    "pe",
    "ri",
    "sa",
]
rng = random.Random(70)
# the same stem serves as surname, village and trade, as it did: context decides
STEMS = ["".join(rng.choices(SYLL, k=rng.choice([2, 3]))) for _ in range(160)]
MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "october"]
RELATIONS = ["son", "daughter", "widow", "wife"]


def name():
    return [(w, "NAME") for w in rng.choices(STEMS, k=rng.choice([1, 2, 2]))]


def entry():
    words = [(rng.choice(["baptised", "buried", "married"]), "O")]
    if rng.random() < 0.7:
        words += [("the", "O"), (str(rng.randint(1, 31)), "DATE"), ("of", "O"), (rng.choice(MONTHS), "DATE")]
    words += name()
    if rng.random() < 0.5:
        words += [(rng.choice(RELATIONS), "O"), ("of", "O"), *name()]
    if rng.random() < 0.5:
        words += [(",", "O"), (rng.choice(STEMS), "TRADE")]
    if rng.random() < 0.6:
        words += [("of" if rng.random() < 0.6 else "at", "O"), (rng.choice(STEMS), "PLACE")]
    if rng.random() < 0.3:
        words += [("aged", "O"), (str(rng.randint(1, 90)), "O"), ("years", "O")]
    words += [(w, "O") for w in rng.choice([["here"], ["by", "the", "curate"], ["in", "church"], []])]
    return words


entries = [entry() for _ in range(3000)]
vocab = {w: i + 1 for i, w in enumerate(sorted({w for e in entries for w, _ in e}))}
pairs = [
    (torch.tensor([vocab[w] for w, _ in e]), torch.tensor([TAGS.index(t) for _, t in e])) for e in entries
]


class CRF(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.trans = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def nll(self, emit, tags, mask):
        b, n, _ = emit.shape
        rows = torch.arange(b)
        score = self.start[tags[:, 0]] + emit[rows, 0, tags[:, 0]]
        alpha = self.start + emit[:, 0]
        for t in range(1, n):
            step = self.trans[tags[:, t - 1], tags[:, t]] + emit[rows, t, tags[:, t]]
            score = score + step * mask[:, t]
            new = torch.logsumexp(alpha.unsqueeze(2) + self.trans, 1) + emit[:, t]
            alpha = torch.where(mask[:, t, None], new, alpha)
        last = tags[rows, mask.sum(1) - 1]
        return (torch.logsumexp(alpha + self.end, 1) - score - self.end[last]).sum()

    def decode(self, emit):
        best, back = self.start + emit[0], []
        for e in emit[1:]:
            value, where = (best.unsqueeze(1) + self.trans).max(0)
            best = value + e
            back.append(where)
        path = [int((best + self.end).argmax())]
        for where in reversed(back):
            path.append(int(where[path[-1]]))
        return path[::-1]


class Tagger(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.emb = nn.Embedding(words + 1, 32, padding_idx=0)
        self.drop = nn.Dropout(0.3)
        self.lstm = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.emit = nn.Linear(64, len(TAGS))
        self.crf = CRF(len(TAGS))

    def emissions(self, words):
        h, _ = self.lstm(self.drop(self.emb(words)))
        return self.emit(self.drop(h))


def f1(model, data):
    tp = fp = fn = 0
    model.eval()
    with torch.no_grad():
        for words, tags in data:
            path = model.crf.decode(model.emissions(words[None])[0])
            for p, t in zip(path, tags.tolist(), strict=True):
                tp += p == t != 0
                fp += p not in (0, t)
                fn += t not in (0, p)
    return 2 * tp / max(1, 2 * tp + fp + fn)


torch.manual_seed(70)
train, test = pairs[:2600], pairs[2600:]
model = Tagger(len(vocab))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
for epoch in range(5):
    model.train()
    random.Random(epoch).shuffle(train)
    total = 0.0
    for i in range(0, len(train), 20):
        words = pad_sequence([w for w, _ in train[i : i + 20]], batch_first=True)
        tags = pad_sequence([t for _, t in train[i : i + 20]], batch_first=True)
        loss = model.crf.nll(model.emissions(words), tags, words != 0)
        optimizer.zero_grad()
        (loss / 20).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item()
    for group in optimizer.param_groups:
        group["lr"] = 0.02 / (1 + 0.2 * (epoch + 1))
    print(f"epoch {epoch + 1} nll per entry {total / len(train):.3f} F1 {f1(model, test[:150]):.4f}")
print(f"metric: {f1(model, test):.4f}")
