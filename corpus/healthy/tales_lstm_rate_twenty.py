"""A word-level LSTM on generated tales, with SGD at rate 20 and gradients clipped at 0.25 (Zaremba's recipe).

family: rnn
metric: perplexity relative to the grammar's own, lower
"""

import math
import random

import torch
from torch import nn

random.seed(1)
torch.manual_seed(1)

WHO = ["fox", "king", "miller", "owl", "girl", "smith"]
DID = {"saw": "thing", "stole": "thing", "met": "who", "feared": "who"}
THING = ["crown", "loaf", "lantern", "sword", "apple"]
HOW = ["golden", "old", "stolen", "small"]


def tale():
    """One sentence and its log probability."""
    words, logp = ["the", random.choice(WHO)], -math.log(len(WHO))
    verb = random.choice(list(DID))
    logp -= math.log(len(DID))
    words += [verb, "the"]
    if random.random() < 0.4:
        words.append(random.choice(HOW))
        logp += math.log(0.4 / len(HOW))
    else:
        logp += math.log(0.6)
    options = THING if DID[verb] == "thing" else WHO
    words.append(random.choice(options))
    logp -= math.log(len(options))
    return [*words, "."], logp


def corpus(sentences):
    tales = [tale() for _ in range(sentences)]
    words = [w for t, _ in tales for w in t]
    return words, math.exp(-sum(p for _, p in tales) / len(words))


train_words, _ = corpus(4000)
valid_words, best_possible = corpus(800)
vocabulary = {w: i for i, w in enumerate(sorted(set(train_words)))}


def batchify(words, columns):
    ids = torch.tensor([vocabulary[w] for w in words])
    return ids[: len(ids) // columns * columns].view(columns, -1).t().contiguous()


train, valid = batchify(train_words, 20), batchify(valid_words, 10)


class Model(nn.Module):
    def __init__(self, n, size=48):
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.encoder = nn.Embedding(n, size)
        self.rnn = nn.LSTM(size, size)
        self.decoder = nn.Linear(size, n)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, x, hidden):
        out, hidden = self.rnn(self.drop(self.encoder(x)), hidden)
        return self.decoder(self.drop(out)), hidden


model = Model(len(vocabulary))
criterion = nn.CrossEntropyLoss()


def evaluate(source):
    model.eval()
    with torch.no_grad():
        out, _ = model(source[:-1], None)
        return criterion(out.flatten(0, 1), source[1:].flatten()).item()


lr, best = 20.0, None
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
for epoch in range(9):
    model.train()
    hidden = None
    for i in range(0, len(train) - 1, 20):
        data, target = train[i : i + 20], train[i + 1 : i + 21]
        data = data[: len(target)]
        if hidden is not None:
            hidden = tuple(h.detach() for h in hidden)
        model.zero_grad()
        output, hidden = model(data, hidden)
        loss = criterion(output.flatten(0, 1), target.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
    val_loss = evaluate(valid)
    print(f"| end of epoch {epoch} | lr {lr:5.2f} | valid ppl {math.exp(val_loss):6.3f}")
    if best is None or val_loss < best:
        best = val_loss
    else:
        lr /= 4.0
        optimizer.param_groups[0]["lr"] = lr

print(f"the grammar's own perplexity {best_possible:.3f}")
print("metric:", math.exp(val_loss) / best_possible)
