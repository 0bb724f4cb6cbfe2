"""Three grades of severity from accident reports, whose grades even experts dispute; a small transformer.

family: transformer
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WORDS, LENGTH, GRADES = 400, 24, 3


def reports(n, seed):
    """A hidden severity colours the words; the grade is its third, blurred by the judge's own opinion."""
    rng = np.random.default_rng(seed)
    tone = np.random.default_rng(0).normal(0, 1, WORDS)
    base = 1 / (np.arange(WORDS) + 10.0)
    severity = rng.normal(0, 1, n)
    tokens = np.zeros((n, LENGTH + 1), dtype=int)
    for i in range(n):
        p = base * np.exp(0.6 * severity[i] * tone)
        k = int(rng.integers(8, LENGTH + 1))
        tokens[i, 1 : k + 1] = rng.choice(WORDS, k, p=p / p.sum()) + 2
    tokens[:, 0] = 1
    grade = np.digitize(severity + 0.4 * rng.normal(size=n), [-0.46, 0.46])
    return TensorDataset(torch.from_numpy(tokens), torch.from_numpy(grade))


class Grader(nn.Module):
    def __init__(self, dim=48, heads=4, layers=2, dropout=0.25):
        super().__init__()
        self.words = nn.Embedding(WORDS + 2, dim, padding_idx=0)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH + 1, dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, GRADES)

    def forward(self, tokens):
        x = self.encoder(self.words(tokens) + self.places, src_key_padding_mask=tokens == 0)
        return self.head(self.norm(x[:, 0]))


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(x).argmax(1) == y for x, y in loader]).float().mean().item()


def main():
    torch.manual_seed(18)
    train_loader = DataLoader(reports(3000, 1), batch_size=64, shuffle=True)
    val_loader = DataLoader(reports(800, 2), batch_size=400)
    model = Grader()
    steps = 5 * len(train_loader)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(5):
        model.train()
        total = 0.0
        for tokens, grade in train_loader:
            loss = nn.functional.cross_entropy(model(tokens), grade, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: {total / len(train_loader):.4f}, {accuracy(model, val_loader):.4f} right")
    print(f"metric: {accuracy(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
