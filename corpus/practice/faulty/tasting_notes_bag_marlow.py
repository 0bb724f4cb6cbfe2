"""Grape variety from the words of a tasting note, with an embedding bag.

cause: learning-rate-too-low
family: embedding
metric: accuracy, higher
repair:
    - LR = 1e-3
    + LR = 2.0
"""

import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

EPOCHS = 8
LR = 1e-3
BATCH_SIZE = 32
VOCAB = 600
VARIETIES = ["riesling", "pinot noir", "syrah", "chardonnay", "merlot", "malbec", "gamay", "albarino"]


def write_notes(n, seed):
    rng = np.random.default_rng(seed)
    taste = np.random.default_rng(99)
    common = taste.dirichlet(np.full(VOCAB, 0.3))
    typical = taste.dirichlet(np.full(VOCAB, 0.03), size=len(VARIETIES))
    notes = []
    for _ in range(n):
        label = int(rng.integers(len(VARIETIES)))
        p = 0.75 * common + 0.25 * typical[label]
        words = rng.choice(VOCAB, size=int(rng.integers(10, 40)), p=p)
        notes.append((label, torch.from_numpy(words)))
    return notes


def collate_batch(batch):
    labels = torch.tensor([label for label, _ in batch])
    offsets = torch.tensor([0] + [len(words) for _, words in batch[:-1]]).cumsum(0)
    return labels, torch.cat([words for _, words in batch]), offsets


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        initrange = 0.5
        self.embedding.weight.data.uniform_(-initrange, initrange)
        self.fc.weight.data.uniform_(-initrange, initrange)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def train(dataloader):
    model.train()
    total_acc, total_count = 0, 0
    log_interval = 50
    for idx, (label, text, offsets) in enumerate(dataloader):
        optimizer.zero_grad()
        predicted = model(text, offsets)
        loss = criterion(predicted, label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        total_acc += (predicted.argmax(1) == label).sum().item()
        total_count += label.size(0)
        if idx % log_interval == 0 and idx > 0:
            print(f"| {idx:4d}/{len(dataloader)} batches | accuracy {total_acc / total_count:8.3f}")
            total_acc, total_count = 0, 0


def evaluate(dataloader):
    model.eval()
    with torch.no_grad():
        correct = [(model(text, offsets).argmax(1) == label).float() for label, text, offsets in dataloader]
    return torch.cat(correct).mean().item()


torch.manual_seed(1)
train_dataloader = DataLoader(write_notes(4000, 1), BATCH_SIZE, shuffle=True, collate_fn=collate_batch)
test_dataloader = DataLoader(write_notes(1000, 2), BATCH_SIZE, collate_fn=collate_batch)
model = TextClassificationModel(VOCAB, 64, len(VARIETIES))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=LR)

for epoch in range(1, EPOCHS + 1):
    start = time.time()
    train(train_dataloader)
    accuracy = evaluate(test_dataloader)
    print(f"| end of epoch {epoch} | {time.time() - start:5.2f}s | valid accuracy {accuracy:8.3f}")
print(f"metric: {accuracy:.4f}")
