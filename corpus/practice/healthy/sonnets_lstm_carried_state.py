"""A word model of mock sonnets: two LSTM layers, state carried between chunks, plain SGD and clipping.

family: rnn
metric: perplexity per word on the last sonnets, lower
"""

import math
import random

import torch
import torch.nn as nn

NOUNS = "rose night summer heart eye sun star sea time death love crown ghost mirror winter thorn bird moon"
VERBS = "shines fades burns sleeps weeps sings dies turns waits breaks returns calls trembles wanders"
ADJS = "sweet bitter golden pale cruel gentle bright weary silver dark tender proud"
NOUNS, VERBS, ADJS = NOUNS.split(), VERBS.split(), ADJS.split()


def line(rng, theme):
    noun = theme if rng.random() < 0.35 else rng.choice(NOUNS)
    forms = [
        ["my", rng.choice(ADJS), noun, rng.choice(VERBS), "and", rng.choice(VERBS)],
        ["when", noun, rng.choice(VERBS), "in", "thy", rng.choice(ADJS), rng.choice(NOUNS)],
        ["shall", "i", "compare", "thee", "to", "a", rng.choice(ADJS), noun, "?"],
        ["but", "thy", noun, rng.choice(VERBS), "with", "the", rng.choice(NOUNS)],
        ["o", rng.choice(ADJS), noun, ",", "thou", "art", "no", rng.choice(NOUNS)],
    ]
    return [*rng.choices(forms, weights=[4, 3, 1, 3, 2])[0], "<eol>"]


def sonnets(n, rng):
    words = []
    for _ in range(n):
        theme = rng.choice(NOUNS)
        for _ in range(14):
            words += line(rng, theme)
        words.append("<end>")
    return words


def batchify(ids, columns):
    n = len(ids) // columns
    return torch.tensor(ids[: n * columns]).view(columns, n)


class SonnetLSTM(nn.Module):
    def __init__(self, vocab, size=64, dropout=0.2):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(vocab, size)
        self.rnn = nn.LSTM(size, size, num_layers=2, dropout=dropout, batch_first=True)
        self.decoder = nn.Linear(size, vocab)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, x, state):
        out, state = self.rnn(self.drop(self.encoder(x)), state)
        return self.decoder(self.drop(out)), state


def evaluate(model, data, bptt):
    model.eval()
    total, state = 0.0, None
    with torch.no_grad():
        for i in range(0, data.shape[1] - 1, bptt):
            x, y = data[:, i : i + bptt][:, : data.shape[1] - 1 - i], data[:, i + 1 : i + 1 + bptt]
            out, state = model(x, state)
            total += nn.functional.cross_entropy(out.flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / (data.shape[0] * (data.shape[1] - 1))


if __name__ == "__main__":
    rng = random.Random(1609)
    torch.manual_seed(1609)
    words = sonnets(500, rng)
    vocab = {w: i for i, w in enumerate(sorted(set(words)))}
    ids = [vocab[w] for w in words]
    cut = len(ids) * 9 // 10
    train, valid = batchify(ids[:cut], 20), batchify(ids[cut:], 20)
    bptt, lr, best = 25, 8.0, float("inf")
    model = SonnetLSTM(len(vocab))
    for epoch in range(6):
        model.train()
        state, total, chunks = None, 0.0, 0
        for i in range(0, train.shape[1] - 1, bptt):
            y = train[:, i + 1 : i + 1 + bptt]
            x = train[:, i : i + y.shape[1]]
            if state is not None:
                state = tuple(s.detach() for s in state)
            model.zero_grad()
            out, state = model(x, state)
            loss = nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(p.grad, alpha=-lr)
            total += loss.item()
            chunks += 1
        val = evaluate(model, valid, bptt)
        print(f"epoch {epoch + 1} lr {lr} train {total / chunks:.4f} valid ppl {math.exp(val):.2f}")
        if val > best - 0.01:
            lr /= 4
        best = min(best, val)
    print(f"metric: {math.exp(best):.4f}")
