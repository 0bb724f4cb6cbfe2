"""Complaint letters to a railway are sorted by department with a small transformer.

cause: learning-rate-too-high
family: transformer
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    + optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
"""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DEPARTMENTS = {
    "tickets": "ticket refund price machine card fare booking paid seat reservation app code",
    "punctuality": "late delay minutes connection missed waiting hour timetable cancelled departure seat app",
    "cleanliness": "dirty toilet smell floor seat rubbish window sticky waiting carriage table machine",
    "staff": "rude conductor shouted helpful counter uniform refused card waiting window asked driver",
    "luggage": "suitcase lost bag bicycle rack stolen umbrella carriage counter found departure asked",
    "noise": "loud brakes announcement children music speaker carriage table driver window quiet hour",
}
FILLER = [
    "dear",
    "sir",
    "madam",
    "i",
    "was",
    "on",
    "the",
    "train",
    "from",
    "to",
    "and",
    "then",
    "we",
    "had",
    "it",
    "is",
    "with",
    "my",
    "your",
    "very",
    "so",
    "on",
    "that",
    "day",
    "please",
    "could",
    "you",
    "kindly",
    "regards",
    "again",
    "this",
    "week",
    "never",
    "always",
    "again",
    "morning",
    "evening",
    "station",
    "platform",
]

random.seed(4)
torch.manual_seed(4)


def letter(department):
    own = DEPARTMENTS[department].split()
    others = [w for d in DEPARTMENTS for w in DEPARTMENTS[d].split()]
    words = []
    for _ in range(20):
        r = random.random()
        words.append(random.choice(own if r < 0.30 else others if r < 0.38 else FILLER))
    return words


vocabulary = {w: i for i, w in enumerate(sorted({*FILLER, *" ".join(DEPARTMENTS.values()).split()}))}
names = list(DEPARTMENTS)


def dataset(n):
    labels = [random.randrange(len(names)) for _ in range(n)]
    x = [[vocabulary[w] for w in letter(names[label])] for label in labels]
    return TensorDataset(torch.tensor(x), torch.tensor(labels))


class LetterClassifier(nn.Module):
    def __init__(self, vocab_size, d_model=48, nhead=4, num_layers=2, num_classes=6, length=20):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.position = nn.Parameter(torch.zeros(1, length, d_model))
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward=96, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers)
        self.fc = nn.Linear(d_model, num_classes)

    def forward(self, x):
        x = self.embedding(x) + self.position
        return self.fc(self.encoder(x).mean(dim=1))


train_loader = DataLoader(dataset(3200), batch_size=64, shuffle=True)
test_loader = DataLoader(dataset(800), batch_size=200)
model = LetterClassifier(len(vocabulary))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.03)

for epoch in range(5):
    model.train()
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    model.eval()
    with torch.no_grad():
        correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"Epoch {epoch + 1}: loss {total / len(train_loader):.4f}, test accuracy {correct / 800:.4f}")

print(f"metric: {correct / 800:.4f}")
