"""What a knitting pattern makes (sock, hat, shawl, ...) from its abbreviations, by a convolution over words.

cause: frozen-parameters
family: cnn
metric: accuracy, higher
repair:
    - with torch.no_grad():
    - vectors = self.encode(tokens)
    - return self.classifier(self.dropout(vectors))
    + return self.classifier(self.dropout(self.encode(tokens)))
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

STITCHES = [
    "k",
    "p",
    "yo",
    "ssk",
    "k2tog",
    "sl1",
    "m1l",
    "m1r",
    "kfb",
    "psso",
    "c4f",
    "c4b",
    "bo",
    "co",
    "tbl",
    "pm",
]
COUNTS = [str(i) for i in range(1, 13)]
WORDS = [
    "row",
    "rnd",
    "repeat",
    "from",
    "to",
    "end",
    "turn",
    "ws",
    "rs",
    "rem",
    "sts",
    "needle",
    "work",
    "even",
    "until",
]
VOCAB = {w: i + 2 for i, w in enumerate(STITCHES + COUNTS + WORDS)}
MOTIFS = {
    "sock": [["sl1", "k", "1", "repeat"], ["ssk", "k", "1", "turn"], ["rnd", "k2tog", "k", "1"]],
    "hat": [["rnd", "k2tog", "repeat", "rem"], ["k", "2", "p", "2"], ["work", "even", "until"]],
    "shawl": [["yo", "k", "to", "pm"], ["yo", "k", "1", "yo"], ["rs", "yo", "k2tog"]],
    "cable": [["c4f", "p", "2"], ["p", "2", "c4b"], ["k", "4", "p", "2"]],
    "mitten": [["m1l", "k", "to", "m1r"], ["rnd", "m1l", "k"], ["rem", "sts", "needle"]],
    "lace": [["yo", "ssk", "k"], ["sl1", "k2tog", "psso"], ["k2tog", "yo", "k"]],
}
KINDS = list(MOTIFS)


def pattern(rng):
    kind = rng.randrange(len(KINDS))
    tokens = []
    while len(tokens) < 28:
        u = rng.random()
        if u < 0.22:
            tokens += rng.choice(MOTIFS[KINDS[kind]])
        elif u < 0.32:
            tokens += rng.choice(MOTIFS[rng.choice(KINDS)])
        else:
            tokens += [rng.choice(list(VOCAB)) for _ in range(3)]
    return [VOCAB[t] for t in tokens[:28]], kind


class PatternCNN(nn.Module):
    def __init__(self, emb_dim=32, channels=32, sizes=(2, 3, 4)):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB) + 2, emb_dim, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(emb_dim, channels, k) for k in sizes)
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(channels * len(sizes), len(KINDS))

    def encode(self, tokens):
        x = self.embedding(tokens).transpose(1, 2)
        return torch.cat([F.relu(conv(x)).amax(2) for conv in self.convs], dim=1)

    def forward(self, tokens):
        with torch.no_grad():
            vectors = self.encode(tokens)
        return self.classifier(self.dropout(vectors))

    @torch.no_grad()
    def most_similar(self, tokens, library):
        """Index of the pattern in the library nearest to each of these."""
        a, b = F.normalize(self.encode(tokens)), F.normalize(self.encode(library))
        return (a @ b.T).argmax(1)


def main():
    random.seed(12)
    torch.manual_seed(12)
    data = [pattern(random) for _ in range(3000)]
    collate = lambda batch: tuple(torch.tensor(part) for part in zip(*batch, strict=True))  # noqa: E731
    train = DataLoader(data[:2400], batch_size=32, shuffle=True, collate_fn=collate)
    test_tokens, test_kinds = collate(data[2400:])

    model = PatternCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        epoch_loss = 0
        for tokens, kinds in train:
            logits = model(tokens)
            loss = F.cross_entropy(logits, kinds)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        model.eval()
        with torch.no_grad():
            acc = (model(test_tokens).argmax(1) == test_kinds).float().mean().item()
        print(f"epoch {epoch + 1:02d} | loss {epoch_loss / len(train):.4f} | acc {acc:.4f}")
    library, kinds = collate(data[:500])
    same = kinds[model.most_similar(test_tokens, library)] == test_kinds
    print(f"nearest pattern of the same kind: {same.float().mean().item():.3f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
