"""Which kind of contract clause a numbered token sequence is, by a small transformer encoder.

cause: learning-rate-too-high
family: transformer
metric: accuracy, higher
repair:
    - "lr": 1e-2,
    + "lr": 5e-4,
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

CFG = {
    "vocab": 400,
    "d_model": 48,
    "heads": 4,
    "layers": 3,
    "dropout": 0.1,
    "max_len": 23,
    "batch_size": 32,
    "epochs": 6,
    "lr": 1e-2,
    "weight_decay": 1e-2,
    "seed": 1312,
}
KINDS = ["liability", "termination", "payment", "confidentiality", "warranty", "jurisdiction"]
PAD, CLS = 0, 1


class Clauses(Dataset):
    """Clauses as lists of ids; each kind has a vocabulary of its own, most words are shared boilerplate."""

    def __init__(self, n, seed):
        language = np.random.default_rng(77)
        own = [language.choice(np.arange(120, CFG["vocab"]), 25, replace=False) for _ in KINDS]
        rng = np.random.default_rng(seed)
        self.items = []
        for _ in range(n):
            kind = int(rng.integers(len(KINDS)))
            length = int(rng.integers(10, CFG["max_len"]))
            words = 2 + np.floor(118 * rng.random(length) ** 1.7).astype(int)
            own_words = rng.random(length) < 0.25
            words[own_words] = rng.choice(own[kind], own_words.sum())
            other = rng.random(length) < 0.06
            words[other] = rng.choice(own[int(rng.integers(len(KINDS)))], other.sum())
            self.items.append((words, kind))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        words, kind = self.items[i]
        ids = torch.zeros(CFG["max_len"], dtype=torch.long)
        ids[0] = CLS
        ids[1 : 1 + len(words)] = torch.from_numpy(words)
        return ids, kind


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div)
        pe[:, 1::2] = torch.cos(position * div)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(1)]


class ClauseClassifier(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg["d_model"]
        self.emb = nn.Embedding(cfg["vocab"], d, padding_idx=PAD)
        self.pos = PositionalEncoding(d, cfg["max_len"])
        layer = nn.TransformerEncoderLayer(d, cfg["heads"], 2 * d, cfg["dropout"], batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, cfg["layers"], enable_nested_tensor=False)
        self.fc = nn.Linear(d, len(KINDS))

    def forward(self, ids):
        mask = ids == PAD
        h = self.encoder(self.pos(self.emb(ids)), src_key_padding_mask=mask)
        return self.fc(h[:, 0])


def evaluate(model, loader):
    model.eval()
    right = n = 0
    with torch.no_grad():
        for ids, kind in loader:
            right += (model(ids).argmax(-1) == kind).sum().item()
            n += len(kind)
    return right / n


if __name__ == "__main__":
    torch.manual_seed(CFG["seed"])
    train_loader = DataLoader(Clauses(2048, 1), batch_size=CFG["batch_size"], shuffle=True)
    val_loader = DataLoader(Clauses(600, 2), batch_size=200)
    model = ClauseClassifier(CFG)
    optimizer = torch.optim.AdamW(model.parameters(), lr=CFG["lr"], weight_decay=CFG["weight_decay"])
    for epoch in range(CFG["epochs"]):
        model.train()
        losses = []
        for ids, kind in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(ids), kind)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        acc = evaluate(model, val_loader)
        print(f"epoch {epoch + 1}/{CFG['epochs']}  train_loss={np.mean(losses):.4f}  val_acc={acc:.4f}")
    print(f"metric: {acc:.4f}")
