"""What a voicemail to a housing office is about: transformer encoder with label smoothing and dropout.

family: transformer
metric: accuracy, higher
"""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader

TOPICS = {
    "heating": ["radiator", "cold", "boiler", "warm", "heating", "thermostat", "valve", "freezing"],
    "leak": ["water", "dripping", "ceiling", "leak", "pipe", "wet", "tap", "bucket", "damp"],
    "noise": ["loud", "music", "night", "neighbours", "party", "sleep", "shouting", "drums", "noise"],
    "rent": ["payment", "rent", "account", "euro", "transfer", "late", "invoice", "deposit", "receipt"],
    "keys": ["key", "locked", "door", "lost", "lock", "cylinder", "spare", "copy", "entrance"],
    "lift": ["elevator", "lift", "stuck", "floor", "button", "stairs", "wheelchair", "repair", "broken"],
}
FILLER_TEXT = """
hello this is speaking calling about the in my flat on second please call back since yesterday again um well
it has been days now and nobody came thank you goodbye number street house we are not sure what to do
"""
FILLER = FILLER_TEXT.split()
NAMES = list(TOPICS)
WORDS = sorted(set(FILLER) | {w for ws in TOPICS.values() for w in ws})
IDS = {w: i + 2 for i, w in enumerate(WORDS)}  # 0 pads, 1 opens
MAX_LEN = 26


def message(rng):
    topic = rng.randrange(len(NAMES))
    words = rng.choices(FILLER, k=rng.randint(8, 20))
    for _ in range(rng.randint(1, 4)):
        words.insert(rng.randrange(len(words)), rng.choice(TOPICS[NAMES[topic]]))
    if rng.random() < 0.35:  # mentions another matter in passing
        words.insert(rng.randrange(len(words)), rng.choice(TOPICS[rng.choice(NAMES)]))
    return [1] + [IDS[w] for w in words], topic


def collate(batch):
    tokens = torch.zeros(len(batch), MAX_LEN, dtype=torch.long)
    for row, (words, _) in zip(tokens, batch, strict=True):
        row[: len(words)] = torch.tensor(words)
    return tokens, torch.tensor([t for _, t in batch])


class VoicemailClassifier(nn.Module):
    def __init__(self, vocab, d_model=48):
        super().__init__()
        self.embed = nn.Embedding(vocab, d_model, padding_idx=0)
        self.position = nn.Parameter(torch.randn(MAX_LEN, d_model) * 0.02)
        layer = nn.TransformerEncoderLayer(
            d_model, nhead=4, dim_feedforward=96, dropout=0.2, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d_model)
        self.fc = nn.Linear(d_model, len(NAMES))

    def forward(self, tokens):
        pad = tokens == 0
        h = self.encoder(self.embed(tokens) + self.position, src_key_padding_mask=pad)
        return self.fc(self.norm(h[:, 0]))


def evaluate(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for tokens, topics in loader:
            right += (model(tokens).argmax(-1) == topics).sum().item()
            total += len(topics)
    return right / total


def main():
    rng = random.Random(8)
    torch.manual_seed(8)
    data = [message(rng) for _ in range(5000)]
    train_loader = DataLoader(data[:4000], batch_size=32, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(data[4000:], batch_size=250, collate_fn=collate)
    model = VoicemailClassifier(len(WORDS) + 2)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.15)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    for epoch in range(4):
        model.train()
        running = 0.0
        for tokens, topics in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(tokens), topics)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch}: loss {running / len(train_loader):.4f} acc {evaluate(model, test_loader):.4f}")
    print(f"metric: {evaluate(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
