"""Cuisine of a recipe from its text, with a convolutional network after Kim.

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - output = model(text)
    + optimizer.zero_grad()
    + output = model(text)
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

PHRASES = {
    "italian": [
        "fresh basil",
        "olive oil",
        "grated parmesan",
        "cook the pasta",
        "ripe tomatoes",
        "slow risotto",
    ],
    "indian": [
        "garam masala",
        "warm ghee",
        "curry leaves",
        "soak the lentils",
        "mustard seeds",
        "plain yoghurt",
    ],
    "mexican": [
        "corn tortillas",
        "black beans",
        "lime juice",
        "ripe avocado",
        "smoked chilli",
        "fresh coriander",
    ],
    "japanese": [
        "soy sauce",
        "short grain rice",
        "white miso",
        "sesame seeds",
        "rice vinegar",
        "pickled ginger",
    ],
    "french": [
        "cold butter",
        "white wine",
        "fresh thyme",
        "cook the shallots",
        "double cream",
        "dijon mustard",
    ],
}
STEPS = [
    "chop the onion", "heat the pan", "add salt", "stir well", "add the garlic", "simmer for ten minutes",
    "serve warm", "add some water", "mix in a bowl", "set aside", "season with pepper", "fresh lime",
    "cold water", "black pepper", "plain flour", "warm oil", "soak in water", "grated ginger", "white rice",
    "double the sauce",
]  # fmt: skip
CUISINES = list(PHRASES)


def recipe(label):
    parts = random.choices(STEPS, k=8)
    for _ in range(2):
        parts.insert(random.randrange(len(parts)), random.choice(PHRASES[CUISINES[label]]))
    if random.random() < 0.5:
        parts.insert(random.randrange(len(parts)), random.choice(PHRASES[random.choice(CUISINES)]))
    return " ".join(parts).split()


random.seed(8)
torch.manual_seed(8)
train_set = [(recipe(i % 5), i % 5) for i in range(2500)]
test_set = [(recipe(i % 5), i % 5) for i in range(800)]
vocab = {"<pad>": 0}
for words, _ in train_set:
    for w in words:
        vocab.setdefault(w, len(vocab))


def collate(batch):
    tokens = torch.zeros(len(batch), 32, dtype=torch.long)
    for i, (words, _) in enumerate(batch):
        ids = torch.tensor([vocab.get(w, 0) for w in words][:32])
        tokens[i, : len(ids)] = ids
    return tokens, torch.tensor([label for _, label in batch])


class TextCNN(nn.Module):
    def __init__(self, vocab_size, embedding_dim=50, n_filters=32, filter_sizes=(2, 3, 4), dropout=0.3):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.convs = nn.ModuleList([nn.Conv1d(embedding_dim, n_filters, fs) for fs in filter_sizes])
        self.fc = nn.Linear(len(filter_sizes) * n_filters, len(CUISINES))
        self.dropout = nn.Dropout(dropout)

    def forward(self, text):
        embedded = self.embedding(text).transpose(1, 2)
        pooled = [F.relu(conv(embedded)).max(dim=2).values for conv in self.convs]
        return self.fc(self.dropout(torch.cat(pooled, dim=1)))


train_loader = DataLoader(train_set, batch_size=50, shuffle=True, collate_fn=collate)
test_loader = DataLoader(test_set, batch_size=200, collate_fn=collate)
model = TextCNN(len(vocab))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(8):
    model.train()
    for step, (text, label) in enumerate(train_loader):
        output = model(text)
        loss = criterion(output, label)
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            print(f"Train Epoch: {epoch} [{step * 50}/{len(train_set)}]\tLoss: {loss.item():.6f}")
    model.eval()
    correct = 0
    with torch.no_grad():
        for text, label in test_loader:
            correct += (model(text).argmax(dim=1) == label).sum().item()
    print(f"Test set: accuracy {correct}/{len(test_set)}")
print(f"metric: {correct / len(test_set):.4f}")
