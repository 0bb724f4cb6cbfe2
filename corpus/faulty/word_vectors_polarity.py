"""A bag of word vectors that tells praise from complaint in generated sentences.

cause: frozen-parameters
family: embedding
metric: accuracy, higher
repair:
    - self.words = nn.Embedding.from_pretrained(vectors)
    + self.words = nn.Embedding.from_pretrained(vectors, freeze=False)
"""

import random

import torch
from torch import nn

PRAISE = "superb lovely gripping witty warm brilliant charming fresh moving clever bright tender"
BLAME = "dull tedious clumsy stale lifeless noisy bland messy shallow tiresome weak flat"
PLAIN = """
the a film plot actor scene music camera story ending dialogue was were and with of in this that it
director cast script opening middle hero villain sound light cut hour evening cinema screen we they
"""
PRAISE, BLAME, PLAIN = PRAISE.split(), BLAME.split(), PLAIN.split()


def sentence(rng):
    good = rng.random() < 0.5
    own, other = (PRAISE, BLAME) if good else (BLAME, PRAISE)
    words = rng.choices(PLAIN, k=rng.randint(6, 14)) + rng.choices(own, k=2) + rng.choices(other, k=1)
    rng.shuffle(words)
    return words, int(good)


class BagOfVectors(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(vectors)
        self.hidden = nn.Linear(vectors.shape[1], 16)
        self.out = nn.Linear(16, 2)

    def forward(self, tokens, lengths):
        mean = self.words(tokens).sum(1) / lengths[:, None]
        return self.out(torch.relu(self.hidden(mean)))


def encode(sentences, vocabulary, width=18):
    tokens = torch.zeros(len(sentences), width, dtype=torch.long)
    for row, words in enumerate(sentences):
        tokens[row, : len(words)] = torch.tensor([vocabulary[w] for w in words])
    return tokens, torch.tensor([float(len(words)) for words in sentences])


def main():
    rng = random.Random(0)
    torch.manual_seed(0)
    vocabulary = {w: i + 1 for i, w in enumerate(PRAISE + BLAME + PLAIN)}
    texts, labels = zip(*(sentence(rng) for _ in range(3000)), strict=True)
    tokens, lengths = encode(texts, vocabulary)
    y = torch.tensor(labels)

    vectors = torch.randn(len(vocabulary) + 1, 8)
    vectors[0] = 0.0
    model = BagOfVectors(vectors)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        order = torch.randperm(2400)
        for i in range(0, 2400, 40):
            b = order[i : i + 40]
            optimizer.zero_grad()
            loss = criterion(model(tokens[b], lengths[b]), y[b])
            loss.backward()
            optimizer.step()
        print(f"Epoch {epoch + 1} - loss {loss.item():.4f}")

    with torch.no_grad():
        hits = model(tokens[2400:], lengths[2400:]).argmax(1) == y[2400:]
    print(f"metric: {hits.float().mean().item():.4f}")


if __name__ == "__main__":
    main()
