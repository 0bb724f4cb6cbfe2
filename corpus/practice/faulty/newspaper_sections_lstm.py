"""The section of a newspaper that a teaser belongs to, with an LSTM over words.

cause: decay-too-strong
family: rnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])
    + optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"], weight_decay=1e-5)
"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

config = {
    "lr": 2e-3,
    "weight_decay": 5e-2,
    "epochs": 8,
    "batch_size": 32,
    "emb": 32,
    "hidden": 48,
    "seed": 11,
}

SECTIONS = {
    "politics": "minister parliament vote coalition budget treaty senator reform",
    "sport": "match goal striker coach league injury trophy season",
    "business": "shares profit merger bank quarter investors startup tariff",
    "science": "telescope genome study climate species laboratory fossil vaccine",
    "arts": "novel museum premiere orchestra gallery painter film festival",
}
COMMON = """the a of in after new for with over says as and to on by its will more than first two city people
today week report plan late early big small year old time world home night"""
FILLER = COMMON.split()


def teaser(rng):
    label = rng.randrange(len(SECTIONS))
    names = list(SECTIONS)
    words = []
    for _ in range(rng.randint(9, 18)):
        roll = rng.random()
        if roll < 0.17:
            words.append(rng.choice(SECTIONS[names[label]].split()))
        elif roll < 0.24:
            words.append(rng.choice(SECTIONS[rng.choice(names)].split()))
        else:
            words.append(rng.choice(FILLER))
    return words, label


class SectionLSTM(nn.Module):
    def __init__(self, vocab_size, emb, hidden, n_classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb, padding_idx=0)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, n_classes)

    def forward(self, x):
        out, _ = self.lstm(self.embedding(x))
        mask = (x > 0).unsqueeze(-1)
        pooled = out.masked_fill(~mask, -1e4).max(dim=1).values
        return self.fc(pooled)


def main():
    rng = random.Random(config["seed"])
    torch.manual_seed(config["seed"])
    vocab = {w: i + 1 for i, w in enumerate(sorted({*FILLER, *" ".join(SECTIONS.values()).split()}))}

    def collate(batch):
        x = pad_sequence([torch.tensor([vocab[w] for w in words]) for words, _ in batch], batch_first=True)
        return x, torch.tensor([label for _, label in batch])

    train_loader = DataLoader(
        [teaser(rng) for _ in range(2000)], config["batch_size"], shuffle=True, collate_fn=collate
    )
    test_loader = DataLoader([teaser(rng) for _ in range(600)], 200, collate_fn=collate)
    model = SectionLSTM(len(vocab) + 1, config["emb"], config["hidden"], len(SECTIONS))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])
    criterion = nn.CrossEntropyLoss()
    for epoch in range(config["epochs"]):
        model.train()
        losses = []
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        correct = total = 0
        with torch.no_grad():
            for x, y in test_loader:
                correct += (model(x).argmax(1) == y).sum().item()
                total += len(y)
        print(f"epoch {epoch + 1} train loss {sum(losses) / len(losses):.4f} test acc {correct / total:.4f}")
    print(f"metric: {correct / total:.4f}")


if __name__ == "__main__":
    main()
