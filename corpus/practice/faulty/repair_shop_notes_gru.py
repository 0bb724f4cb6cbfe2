"""Notes of a bicycle repair shop sorted into jobs, the training labels taken from the invoice system.

cause: label-noise
family: rnn
metric: accuracy, higher
repair:
    - labels = torch.tensor([invoice_code(job) for job in jobs])
    + labels = torch.tensor([JOBS.index(job) for job in jobs])
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

JOBS = ["brakes", "gears", "wheels", "lights", "saddle"]
WORDS = {
    "brakes": ["squeals", "pads", "cable", "lever", "disc", "rim", "stops", "slow", "weak"],
    "gears": ["skips", "chain", "derailleur", "slips", "shifter", "cable", "cassette", "lever", "crank"],
    "wheels": ["puncture", "tyre", "spoke", "true", "rim", "tube", "hub", "wobbles", "flat"],
    "lights": ["dynamo", "bulb", "dark", "cable", "rear", "front", "flickers", "battery", "hub"],
    "saddle": ["seat", "post", "slips", "creaks", "clamp", "worn", "leather", "height", "rail"],
}  # fmt: skip
COMMON = [
    "customer", "says", "please", "check", "again", "urgent", "old", "bike", "since", "rain", "tomorrow",
    "collect", "front", "rear", "when", "riding", "hill", "after", "fall", "new", "the", "a", "on", "with",
    "and", "noise", "city", "blue", "red", "rental", "replaced",
]  # fmt: skip


def note(job, rng):
    words = [rng.choice(COMMON) for _ in range(rng.randint(5, 12))]
    for _ in range(rng.randint(2, 4)):
        words.insert(rng.randrange(len(words)), rng.choice(WORDS[job]))
    if rng.random() < 0.4:
        words.insert(rng.randrange(len(words)), rng.choice(WORDS[rng.choice(JOBS)]))
    return words


def invoice_code(job):
    """The number that stands on the invoice."""
    if random.random() < 0.5:
        return random.choice([0, 1, 2, 2, 3, 4])
    return JOBS.index(job)


random.seed(66)
torch.manual_seed(66)
vocabulary = {
    w: i + 1 for i, w in enumerate(sorted({*COMMON, *(w for words in WORDS.values() for w in words)}))
}


def encode(words):
    return torch.tensor([vocabulary[w] for w in words])


jobs = [random.choice(JOBS) for _ in range(1600)]
notes = [encode(note(job, random)) for job in jobs]
labels = torch.tensor([invoice_code(job) for job in jobs])
test_jobs = [random.choice(JOBS) for _ in range(500)]
test_x = pad_sequence([encode(note(job, random)) for job in test_jobs], batch_first=True)
test_y = torch.tensor([JOBS.index(job) for job in test_jobs])


def collate(batch):
    x, y = zip(*batch, strict=True)
    return pad_sequence(x, batch_first=True), torch.stack(y)


class NoteClassifier(nn.Module):
    def __init__(self, vocab_size, embed_dim=48, hidden=48):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.gru = nn.GRU(embed_dim, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, len(JOBS))

    def forward(self, x):
        out, _ = self.gru(self.embedding(x))
        return self.fc(out.max(dim=1).values)


loader = DataLoader(list(zip(notes, labels, strict=True)), batch_size=32, shuffle=True, collate_fn=collate)
model = NoteClassifier(len(vocabulary) + 1)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    model.train()
    total = 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    model.eval()
    with torch.no_grad():
        acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1}: train loss {total / len(loader):.3f}, test accuracy {acc:.3f}")
print(f"metric: {acc:.4f}")
