"""Routing customers' letters at an insurer to a department, by a bidirectional GRU over word ids.

cause: learning-rate-too-low
family: rnn
metric: accuracy, higher
repair:
    - parser.add_argument("--learning_rate", type=float, default=2e-5)
    + parser.add_argument("--learning_rate", type=float, default=2e-3)
"""

import argparse
import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

DEPARTMENTS = {
    "motor": "car windscreen collision garage bumper tow parking scratch tyres mileage driver licence",
    "home": "roof leak basement burst pipe storm window carpet kitchen fire smoke neighbour",
    "health": "doctor hospital invoice therapy glasses dentist prescription surgery days clinic tooth",
    "travel": "flight luggage cancelled hotel abroad delay passport refund beach airline trip suitcase",
    "life": "beneficiary pension policy widow payout premium term certificate inheritance annuity",
}
FILLER = """
    dear sir madam please find enclosed my contract number i would like to ask about the claim from last month
    which has still not been settled and we are waiting for your answer since then thank you in advance kind
    regards sincerely yours could you let me know if this is covered by insurance or what papers you need"""


def letter(rng):
    label = rng.randrange(len(DEPARTMENTS))
    filler = FILLER.split()
    topics = [words.split() for words in DEPARTMENTS.values()]
    words = []
    for _ in range(rng.randint(10, 24)):
        u = rng.random()
        if u < 0.14:
            words.append(rng.choice(topics[label]))
        elif u < 0.21:
            words.append(rng.choice(rng.choice(topics)))
        else:
            words.append(rng.choice(filler))
    return words, label


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning_rate", type=float, default=2e-5)
    parser.add_argument("--warmup_ratio", type=float, default=0.1)
    parser.add_argument("--weight_decay", type=float, default=0.01)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args([])


class LetterRouter(nn.Module):
    def __init__(self, vocab, hidden, classes):
        super().__init__()
        self.embed = nn.Embedding(vocab, 48, padding_idx=0)
        self.gru = nn.GRU(48, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.2)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, ids):
        states, _ = self.gru(self.embed(ids))
        mask = (ids > 0).unsqueeze(-1)
        pooled = (states * mask).sum(1) / mask.sum(1)
        return self.classifier(self.drop(pooled))


def main():
    args = get_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    letters = [letter(rng) for _ in range(3000)]
    vocab = {"<pad>": 0}
    for words, _ in letters:
        for word in words:
            vocab.setdefault(word, len(vocab))

    def collate(batch):
        ids = pad_sequence([torch.tensor([vocab[w] for w in words]) for words, _ in batch], batch_first=True)
        return ids, torch.tensor([label for _, label in batch])

    train = DataLoader(letters[:2400], args.batch_size, shuffle=True, collate_fn=collate)
    valid = DataLoader(letters[2400:], 200, collate_fn=collate)

    model = LetterRouter(len(vocab), args.hidden, len(DEPARTMENTS))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay, eps=1e-8
    )
    total = len(train) * args.epochs
    warmup = int(args.warmup_ratio * total)
    scheduler = LambdaLR(
        optimizer, lambda s: (s + 1) / warmup if s < warmup else max(0.0, (total - s) / (total - warmup))
    )
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        model.train()
        train_loss = 0.0
        for ids, labels in train:
            loss = loss_fn(model(ids), labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            train_loss += loss.item()
        model.eval()
        with torch.no_grad():
            right = sum((model(ids).argmax(1) == labels).sum().item() for ids, labels in valid)
        acc = right / 600
        print(f"Epoch {epoch + 1}: Train loss: {train_loss / len(train):.4f} | Val acc: {acc:.4f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
