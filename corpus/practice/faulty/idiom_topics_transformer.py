"""Who would say this: a transformer tells nine speakers apart by their turns of phrase.

cause: evaluating-in-train-mode
begins: 72
family: transformer
metric: accuracy, higher
repair:
    - encoder.eval()
    - correct = 0
    + encoder.eval()
    + classifier.eval()
    + correct = 0
"""

import random

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

MAX_LEN, VOCAB, SPEAKERS = 16, 300, 9


def make_corpus(n, seed):
    style = random.Random(0)
    pairs = [
        [(style.randrange(1, VOCAB), style.randrange(1, VOCAB)) for _ in range(14)] for _ in range(SPEAKERS)
    ]
    r = random.Random(seed)
    corpus = []
    for _ in range(n):
        speaker = r.randrange(SPEAKERS)
        tokens = [r.randrange(1, VOCAB) for _ in range(MAX_LEN)]
        for _ in range(2):
            at = r.randrange(MAX_LEN - 1)
            tokens[at : at + 2] = r.choice(pairs[speaker])
        corpus.append((tokens, speaker))
    return corpus


def collate(items):
    tokens, speakers = zip(*items, strict=True)
    return torch.tensor(tokens), torch.tensor(speakers)


class Encoder(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.words = nn.Embedding(VOCAB, d)
        self.places = nn.Parameter(0.02 * torch.randn(MAX_LEN, d))
        layer = nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.1, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)

    def forward(self, tokens):
        return self.layers(self.words(tokens) + self.places).mean(1)


def build_classifier(d=64):
    return nn.Sequential(
        nn.Dropout(0.6), nn.Linear(d, 48), nn.ReLU(), nn.Dropout(0.6), nn.Linear(48, SPEAKERS)
    )


def evaluate(encoder, classifier, loader):
    encoder.eval()
    correct = 0
    with torch.no_grad():
        for tokens, speakers in loader:
            correct += (classifier(encoder(tokens)).argmax(-1) == speakers).sum().item()
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(64)
    train_loader = DataLoader(make_corpus(4500, 1), batch_size=64, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(make_corpus(900, 2), batch_size=300, collate_fn=collate)
    encoder, classifier = Encoder(), build_classifier()
    params = list(encoder.parameters()) + list(classifier.parameters())
    optimizer = torch.optim.AdamW(params, lr=2e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=9 * len(train_loader))
    for epoch in range(9):
        encoder.train()
        classifier.train()
        total = 0.0
        for tokens, speakers in train_loader:
            loss = nn.functional.cross_entropy(classifier(encoder(tokens)), speakers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        score = evaluate(encoder, classifier, test_loader)
        print(f"epoch {epoch + 1} loss {total / len(train_loader):.3f} test {score:.3f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
