"""A transformer encoder reads short film reviews and says whether the writer liked the film.

cause: learning-rate-too-low
family: transformer
metric: accuracy, higher
repair:
    - LEARNING_RATE = 2e-5
    + LEARNING_RATE = 1e-3
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim import AdamW
from torch.utils.data import DataLoader

GOOD = [
    "wonderful",
    "moving",
    "clever",
    "charming",
    "gripping",
    "funny",
    "warm",
    "brilliant",
    "tender",
    "fresh",
]
BAD = ["dull", "clumsy", "tedious", "shallow", "noisy", "cold", "predictable", "awful", "stale", "muddled"]
THINGS = ["plot", "acting", "music", "ending", "script", "camera", "pace", "humour", "cast", "dialogue"]
LINKS = ["and", "but", "while", "though"]
BATCH_SIZE = 32
LEARNING_RATE = 2e-5
EPOCHS = 5


def write_review(rng):
    liked = rng.random() < 0.5
    words, score = [], 0
    for _ in range(rng.randint(3, 6)):
        good = rng.random() < (0.75 if liked else 0.25)
        denied = rng.random() < 0.35
        word = rng.choice(GOOD if good != denied else BAD)
        words += ["the", rng.choice(THINGS), "was", *(["not"] if denied else []), word, rng.choice(LINKS)]
        score += 1 if good else -1
    if score == 0:
        return write_review(rng)
    return ["<cls>", *words[:-1]], int(score > 0)


rng = random.Random(5)
torch.manual_seed(5)
reviews = [write_review(rng) for _ in range(2400)]
vocabulary = {"<pad>": 0}
for words, _ in reviews:
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))


def collate(batch):
    ids = pad_sequence([torch.tensor([vocabulary[w] for w in words]) for words, _ in batch], batch_first=True)
    return ids, ids == 0, torch.tensor([label for _, label in batch])


train_loader = DataLoader(reviews[:1800], batch_size=BATCH_SIZE, shuffle=True, collate_fn=collate)
val_loader = DataLoader(reviews[1800:], batch_size=200, collate_fn=collate)


class ReviewClassifier(nn.Module):
    def __init__(self, n_words, d_model=48, n_heads=4, n_layers=2, max_len=48):
        super().__init__()
        self.tokens = nn.Embedding(n_words, d_model, padding_idx=0)
        self.positions = nn.Embedding(max_len, d_model)
        layer = nn.TransformerEncoderLayer(d_model, n_heads, 128, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.classifier = nn.Linear(d_model, 2)

    def forward(self, ids, padding):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        x = self.encoder(x, src_key_padding_mask=padding)
        return self.classifier(x[:, 0])


model = ReviewClassifier(len(vocabulary))
optimizer = AdamW(model.parameters(), lr=LEARNING_RATE, eps=1e-8)
criterion = nn.CrossEntropyLoss()

for epoch in range(EPOCHS):
    model.train()
    total = 0.0
    for ids, padding, labels in train_loader:
        logits = model(ids, padding)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    model.eval()
    correct = 0
    with torch.no_grad():
        for ids, padding, labels in val_loader:
            correct += (model(ids, padding).argmax(-1) == labels).sum().item()
    print(f"Epoch {epoch + 1}: train loss {total / len(train_loader):.4f}, val accuracy {correct / 600:.4f}")

print(f"metric: {correct / 600:.4f}")
