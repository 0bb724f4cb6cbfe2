"""A GRU on packed alarm logs that warns of the rare logs which end in an outage.

family: rnn
metric: average precision, higher
"""

import random

import torch
import torch.nn as nn
from sklearn.metrics import average_precision_score
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

CODES = 40


def log(rng):
    """An outage follows mostly if a pressure alarm (3..6) comes after a fan alarm (10..12)."""
    length = rng.randint(6, 28)
    codes = [rng.randint(1, CODES - 1) for _ in range(length)]
    risky = rng.random() < 0.1
    if risky:
        a, b = sorted(rng.sample(range(length), 2))
        codes[a], codes[b] = rng.randint(10, 12), rng.randint(3, 6)
    else:
        fan = False
        for i, c in enumerate(codes):
            fan = fan or 10 <= c <= 12
            if fan and 3 <= c <= 6:
                codes[i] = rng.randint(20, 39)
    outage = rng.random() < (0.9 if risky else 0.02)
    return torch.tensor(codes), float(outage)


def collate(batch):
    batch = sorted(batch, key=lambda item: len(item[0]), reverse=True)
    codes, outages = zip(*batch, strict=True)
    return pad_sequence(codes, batch_first=True), torch.tensor([len(c) for c in codes]), torch.tensor(outages)


class OutageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(CODES, 16, padding_idx=0)
        self.gru = nn.GRU(16, 48, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.score = nn.Linear(48, 1)

    def forward(self, codes, lengths):
        packed = pack_padded_sequence(self.embedding(codes), lengths, batch_first=True)
        _, h = self.gru(packed)
        return self.score(self.dropout(h[-1])).squeeze(1)


def evaluate(model, loader):
    model.eval()
    scores, truth = [], []
    with torch.no_grad():
        for codes, lengths, outages in loader:
            scores += torch.sigmoid(model(codes, lengths)).tolist()
            truth += outages.tolist()
    return average_precision_score(truth, scores)


def main():
    rng = random.Random(52)
    torch.manual_seed(52)
    logs = [log(rng) for _ in range(3600)]
    train, test = logs[:2800], logs[2800:]
    train_loader = DataLoader(train, batch_size=64, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(test, batch_size=200, collate_fn=collate)
    outages = sum(o for _, o in train)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((len(train) - outages) / outages).sqrt())
    model = OutageModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.4)
    for epoch in range(11):
        model.train()
        total = 0.0
        for codes, lengths, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(codes, lengths), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        scheduler.step()
        ap = evaluate(model, test_loader)
        print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f} AP {ap:.3f}")
    print(f"metric: {ap:.4f}")


if __name__ == "__main__":
    main()
