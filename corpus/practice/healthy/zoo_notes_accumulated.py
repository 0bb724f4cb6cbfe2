"""The keeper's notes of a zoo sorted by what must be done; small batches of text, gradients of four added up.

family: transformer
metric: accuracy, higher
"""

import random

import torch
import torch.nn as nn

ACCUMULATE = 4
MICRO = 12
WORDS = {
    "vet": "limping coughing wound swollen sneezing bleeding pale shivering".split(),
    "kitchen": "hay carrots refused leftovers hungry mealworms bucket portions".split(),
    "repair": "fence latch leaking hinge rust lamp cracked pump".split(),
    "nothing": "sunny playing asleep visitors swimming sunbathing calm groomed".split(),
}
ANIMALS = "tapir otter lynx ibis gibbon emu okapi meerkat tortoise serval".split()
FILLER = "the this morning again near by seems was two young old female in its enclosure today a bit".split()
LABELS = list(WORDS)
MAX_LEN = 16


def note(rng):
    label = rng.randrange(len(LABELS))
    words = [*rng.choices(FILLER, k=rng.randint(5, 11)), rng.choice(ANIMALS)]
    words += rng.choices(WORDS[LABELS[label]], k=rng.randint(1, 2))
    if rng.random() < 0.2:
        words.append(rng.choice(WORDS[rng.choice(LABELS)]))
    rng.shuffle(words)
    return words, label


class NoteReader(nn.Module):
    def __init__(self, vocab, dim=48):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(MAX_LEN, dim))
        layer = nn.TransformerEncoderLayer(
            dim, 4, dim_feedforward=96, dropout=0.1, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(dim, len(LABELS))

    def forward(self, ids):
        pad = ids == 0
        h = self.encoder(self.embed(ids) + self.position, src_key_padding_mask=pad)
        return self.out(h.masked_fill(pad.unsqueeze(-1), 0).sum(1) / (~pad).sum(1, keepdim=True))


def main():
    rng = random.Random(404)
    torch.manual_seed(404)
    known = {*FILLER, *ANIMALS}.union(*WORDS.values())
    vocab = {w: i for i, w in enumerate(sorted(known), start=1)}
    ids, labels = torch.zeros(3000, MAX_LEN, dtype=torch.long), torch.zeros(3000, dtype=torch.long)
    for i in range(3000):
        words, labels[i] = note(rng)
        codes = torch.tensor([vocab[w] for w in words][:MAX_LEN])
        ids[i, : len(codes)] = codes
    train_ids, train_labels, test_ids, test_labels = ids[:2400], labels[:2400], ids[2400:], labels[2400:]
    model = NoteReader(len(vocab) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.01)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(6):
        model.train()
        shown = 0.0
        for i, chosen in enumerate(torch.randperm(len(train_ids)).split(MICRO), start=1):
            loss = criterion(model(train_ids[chosen]), train_labels[chosen])
            (loss / ACCUMULATE).backward()
            shown += loss.item()
            if i % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_ids).argmax(1) == test_labels).float().mean().item()
        print(f"epoch {epoch + 1}  loss {shown / i:.4f}  accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
