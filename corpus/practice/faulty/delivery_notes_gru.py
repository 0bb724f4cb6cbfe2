"""Which of eight carriers should take a parcel, read from the delivery note.

cause: parameters-not-in-optimizer
family: rnn
metric: accuracy, higher
repair:
    - params = [*encoder.parameters(), *classifier.parameters()]
    + params = [*word_vectors.parameters(), *encoder.parameters(), *classifier.parameters()]
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

torch.manual_seed(15)
rng = np.random.default_rng(15)

VOCAB, DIM, HIDDEN, CARRIERS = 600, 6, 48, 8

# Every word leans to some carriers; a note is a dozen words, each carrier's own words a little more frequent.
lean = rng.gumbel(0, 1.0, (CARRIERS, VOCAB - 1))
lean = np.exp(0.7 * lean)
lean /= lean.sum(1, keepdims=True)


def notes(n):
    carrier = rng.integers(0, CARRIERS, n)
    length = rng.integers(8, 21, n)
    words = np.zeros((n, 20), dtype=np.int64)
    for i in range(n):
        words[i, : length[i]] = 1 + rng.choice(VOCAB - 1, length[i], p=lean[carrier[i]])
    return torch.from_numpy(words), torch.from_numpy(length), torch.from_numpy(carrier)


train_words, train_length, train_carrier = notes(4000)
test_words, test_length, test_carrier = notes(1000)

word_vectors = nn.Embedding(VOCAB, DIM, padding_idx=0)
encoder = nn.GRU(DIM, HIDDEN, batch_first=True)
classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(HIDDEN, CARRIERS))
params = [*encoder.parameters(), *classifier.parameters()]
optimizer = torch.optim.Adam(params, lr=3e-3)
criterion = nn.CrossEntropyLoss()


def forward(words, length):
    packed = pack_padded_sequence(word_vectors(words), length, batch_first=True, enforce_sorted=False)
    _, h = encoder(packed)
    return classifier(h[0])


for epoch in range(8):
    classifier.train()
    order = torch.randperm(4000)
    mean_loss = 0.0
    for k in range(0, 4000, 64):
        idx = order[k : k + 64]
        loss = criterion(forward(train_words[idx], train_length[idx]), train_carrier[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean_loss += loss.item() * len(idx) / 4000
    classifier.eval()
    with torch.no_grad():
        accuracy = (forward(test_words, test_length).argmax(1) == test_carrier).float().mean().item()
    print(f"epoch {epoch}: loss {mean_loss:.3f}, test accuracy {accuracy:.3f}")

print(f"metric: {accuracy:.4f}")
