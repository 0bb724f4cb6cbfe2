"""Short reviews of guest houses as good or bad, word vectors pooled by attention.

cause: not-finite
family: attention
metric: accuracy, higher
repair:
    - scores = self.score(torch.tanh(self.key(h))).squeeze(2).masked_fill(pad, float("-inf"))
    + scores = self.score(torch.tanh(self.key(h))).squeeze(2).masked_fill(pad, -1e4)
"""

import random
from collections import Counter

import torch
from torch import nn

PRAISE = ["lovely", "clean", "quiet", "friendly", "warm", "generous", "spotless", "delicious", "helpful"]
BLAME = ["dirty", "noisy", "rude", "cold", "damp", "mouldy", "overpriced", "stale", "smelly"]
REST = ["the", "room", "was", "and", "breakfast", "with", "view", "of", "harbour", "our", "host", "very"]
REST += ["bed", "stairs", "week", "dog", "garden", "it", "too"]
RARE = [a + b for a in ("ba", "ke", "li", "mo", "nu", "ra", "si", "to") for b in ("dor", "fen", "gil", "hus")]


def review(rng):
    good = rng.random() < 0.5
    words = rng.choices(REST, k=rng.randint(3, 9))
    for _ in range(rng.randint(1, 3)):
        mine = good if rng.random() < 0.85 else not good
        word = rng.choice(PRAISE if mine else BLAME)
        if rng.random() < 0.25:
            word = "not " + rng.choice(BLAME if mine else PRAISE)
        words.insert(rng.randrange(len(words) + 1), word)
    if rng.random() < 0.0015:
        words = rng.choices(RARE, k=rng.randint(1, 2))
    return " ".join(words), int(good)


class Vocabulary:
    def __init__(self, texts, minimum=4):
        counts = Counter(word for text in texts for word in text.split())
        self.index = {word: i + 1 for i, (word, n) in enumerate(counts.items()) if n >= minimum}

    def __len__(self):
        return len(self.index) + 1

    def batch(self, texts):
        rows = [[self.index[w] for w in text.split() if w in self.index] for text in texts]
        width = max(max(map(len, rows)), 1)
        return torch.tensor([row + [0] * (width - len(row)) for row in rows])


class Pooling(nn.Module):
    def __init__(self, words, dim=32):
        super().__init__()
        self.embed = nn.Embedding(words, dim, padding_idx=0)
        self.mix = nn.Conv1d(dim, dim, 3, padding=1)
        self.key, self.score = nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.out = nn.Linear(dim, 2)

    def forward(self, tokens):
        pad = tokens == 0
        h = self.embed(tokens)
        h = h + torch.relu(self.mix(h.transpose(1, 2))).transpose(1, 2)
        scores = self.score(torch.tanh(self.key(h))).squeeze(2).masked_fill(pad, float("-inf"))
        return self.out((scores.softmax(1).unsqueeze(2) * h).sum(1))


def main():
    rng = random.Random(23)
    torch.manual_seed(23)
    data = [review(rng) for _ in range(2600)]
    train, test = data[:2000], data[2000:]
    vocabulary = Vocabulary([text for text, _ in train])
    model = Pooling(len(vocabulary))
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()

    def collate(rows):
        return vocabulary.batch([text for text, _ in rows]), torch.tensor([label for _, label in rows])

    for epoch in range(8):
        rng.shuffle(train)
        losses = []
        for i in range(0, len(train), 25):
            tokens, labels = collate(train[i : i + 25])
            loss = criterion(model(tokens), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")
    with torch.no_grad():
        tokens, labels = collate(test)
        accuracy = (model(tokens).argmax(1) == labels).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
