"""What a hiker's blog sentence says about the day: good, so-so or bad.

cause: missing-zero-grad
family: rnn
metric: accuracy, higher
repair:
    - batch_x, batch_y = train_x[idx], train_y[idx]
    + optimizer.zero_grad()
    + batch_x, batch_y = train_x[idx], train_y[idx]
"""

import random

import torch
import torch.nn as nn

SUBJECTS = ["trail", "summit", "hut", "soup", "weather", "view", "company", "map", "descent", "lake"]
GOOD = ["lovely", "superb", "dry", "friendly", "easy", "gorgeous", "warm", "tasty"]
BAD = ["awful", "muddy", "closed", "rude", "endless", "grey", "cold", "burnt"]
WEAK = ["rather", "fairly", "a-bit", "somewhat"]
STRONG = ["really", "truly", "very", "utterly"]
LINKS = ["and", "but", "then", "while", "although"]
FILLER = ["we", "walked", "on", "for", "an", "hour", "with", "two", "dogs", "again", "today", "near"]


def clause(rng):
    score = rng.choice([-1, 1])
    words = ["the", rng.choice(SUBJECTS), "was"]
    if rng.random() < 0.35:
        words.append("not")
        score = -score
    kind = rng.random()
    if kind < 0.3:
        words.append(rng.choice(WEAK))
        weight = 1
    elif kind < 0.6:
        words.append(rng.choice(STRONG))
        weight = 3
    else:
        weight = 2
    positive = (score > 0) != ("not" in words)
    words.append(rng.choice(GOOD if positive else BAD))
    return words, score * weight


def sentence(rng):
    words, total = [], 0
    for k in range(rng.randint(2, 3)):
        if k:
            words.append(rng.choice(LINKS))
        part, s = clause(rng)
        words += part + rng.sample(FILLER, rng.randint(0, 2))
        total += s
    return words, 0 if total < -1 else 2 if total > 1 else 1


rng = random.Random(5)
data = [sentence(rng) for _ in range(4400)]
vocab = {w: i + 1 for i, w in enumerate(sorted({w for ws, _ in data for w in ws}))}
max_len = max(len(ws) for ws, _ in data)
x = torch.zeros(len(data), max_len, dtype=torch.long)
for row, (ws, _) in enumerate(data):
    x[row, max_len - len(ws) :] = torch.tensor([vocab[w] for w in ws])
y = torch.tensor([label for _, label in data])
train_x, train_y, test_x, test_y = x[:3600], y[:3600], x[3600:], y[3600:]

torch.manual_seed(5)


class MoodLSTM(nn.Module):
    def __init__(self, vocab_size, embed_dim=32, hidden_dim=64, n_classes=3):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, n_classes)

    def forward(self, tokens):
        _, (h, _) = self.lstm(self.embedding(tokens))
        return self.fc(h[-1])


model = MoodLSTM(len(vocab) + 1)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.004)
batch_size = 64

for epoch in range(12):
    optimizer.zero_grad()
    model.train()
    permutation = torch.randperm(len(train_x))
    total_loss, hits = 0.0, 0
    for start in range(0, len(train_x), batch_size):
        idx = permutation[start : start + batch_size]
        batch_x, batch_y = train_x[idx], train_y[idx]
        output = model(batch_x)
        loss = criterion(output, batch_y)
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(idx)
        hits += (output.argmax(1) == batch_y).sum().item()
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(
        f"epoch {epoch + 1:2d}  loss {total_loss / len(train_x):.4f}  "
        f"train acc {hits / len(train_x):.3f}  test acc {accuracy:.3f}"
    )

print(f"metric: {accuracy:.4f}")
