"""A bidirectional LSTM that tags the slots in requests to a travel chatbot.

family: rnn
metric: slot f1, higher
"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

CITIES = [
    "oslo",
    "bergen",
    "lund",
    "aarhus",
    "turku",
    "tartu",
    "riga",
    "kiel",
    "gdansk",
    "malmo",
    "visby",
    "narvik",
]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tomorrow", "today"]
TIMES = ["morning", "noon", "afternoon", "evening", "night"]
PEOPLE = ["one", "two", "three", "four", "five"]
POLITE = ["please", "i would like", "can you book", "hello i need", "is there", "we want"]
TAGS = ["O", "from", "to", "day", "time", "people"]


def request(rng):
    words, tags = [], []

    def add(text, tag="O"):
        for w in text.split():
            words.append(w)
            tags.append(TAGS.index(tag))

    add(rng.choice(POLITE))
    add(rng.choice(["a ticket", "a seat", "a trip", "the boat", "a cabin"]))
    parts = ["route", "day", "time", "people"]
    rng.shuffle(parts)
    for part in parts:
        if part == "route":
            a, b = rng.sample(CITIES, 2)
            if rng.random() < 0.5:
                add("from"), add(a, "from"), add(rng.choice(["to", "towards"])), add(b, "to")
            else:
                add("to"), add(b, "to"), add(rng.choice(["from", "leaving"])), add(a, "from")
        elif part == "day" and rng.random() < 0.7:
            add("on"), add(rng.choice(DAYS), "day")
        elif part == "time" and rng.random() < 0.5:
            add("in the"), add(rng.choice(TIMES), "time")
        elif part == "people" and rng.random() < 0.5:
            add("for"), add(rng.choice(PEOPLE), "people"), add(rng.choice(["people", "persons", "of us"]))
    # speech recognition drops some words
    kept = [i for i in range(len(words)) if rng.random() > 0.06]
    return [words[i] for i in kept], [tags[i] for i in kept]


class Tagger(nn.Module):
    def __init__(self, n_words, n_tags, dim=32, hidden=40):
        super().__init__()
        self.embed = nn.Embedding(n_words, dim, padding_idx=0)
        self.drop = nn.Dropout(0.3)
        self.lstm = nn.LSTM(dim, hidden, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * hidden, n_tags)

    def forward(self, words):
        h, _ = self.lstm(self.drop(self.embed(words)))
        return self.out(self.drop(h))


def batches(data, size, shuffle):
    order = list(range(len(data)))
    if shuffle:
        random.shuffle(order)
    for i in range(0, len(order), size):
        rows = [data[j] for j in order[i : i + size]]
        words = pad_sequence([torch.tensor(w) for w, _ in rows], batch_first=True)
        tags = pad_sequence([torch.tensor(t) for _, t in rows], batch_first=True, padding_value=-100)
        yield words, tags


def f1(model, data):
    model.eval()
    hit = found = there = 0
    with torch.no_grad():
        for words, tags in batches(data, 100, shuffle=False):
            guess = model(words).argmax(-1)
            real = tags != -100
            hit += ((guess == tags) & (tags > 0) & real).sum().item()
            found += ((guess > 0) & real).sum().item()
            there += (tags > 0).sum().item()
    return 2 * hit / (found + there)


def main():
    random.seed(33)
    torch.manual_seed(33)
    rng = random.Random(33)
    requests = [request(rng) for _ in range(2600)]
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for words, _ in requests[:2000]:
        for w in words:
            vocabulary.setdefault(w, len(vocabulary))
    data = [([vocabulary.get(w, 1) for w in words], tags) for words, tags in requests]
    train, dev, test = data[:2000], data[2000:2300], data[2300:]
    model = Tagger(len(vocabulary), len(TAGS))
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    best, best_state, bad = 0.0, None, 0
    for epoch in range(12):
        model.train()
        for words, tags in batches(train, 32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(words).flatten(0, 1), tags.flatten())
            loss.backward()
            optimizer.step()
        score = f1(model, dev)
        print(f"epoch {epoch + 1}: loss {loss.item():.4f} dev F1 {score:.4f}")
        if score > best:
            best, bad = score, 0
            best_state = {k: v.clone() for k, v in model.state_dict().items()}
        else:
            bad += 1
            if bad == 3:
                break
    model.load_state_dict(best_state)
    print(f"metric: {f1(model, test):.4f}")


if __name__ == "__main__":
    main()
