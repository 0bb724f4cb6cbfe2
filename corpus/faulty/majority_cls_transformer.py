"""A transformer says which letter occurs most often in strings of unequal length.

cause: inputs-ignored
family: transformer
metric: accuracy, higher
repair:
    - mask = tokens != PAD
    + mask = tokens == PAD
"""

import torch
from torch import nn

import descend

PAD, CLS, LETTERS, LONGEST = 0, 1, 4, 14


def strings(n):
    tokens = torch.full((n, LONGEST + 1), PAD)
    tokens[:, 0] = CLS
    most = torch.empty(n, dtype=torch.long)
    for k in range(n):
        length = int(torch.randint(5, LONGEST, (1,)))
        weights = torch.rand(LETTERS) ** 2 + 0.02
        letters = torch.multinomial(weights, length, replacement=True)
        tokens[k, 1 : length + 1] = letters + 2
        most[k] = letters.bincount(minlength=LETTERS).argmax()
    return tokens, most


class EncoderLayer(nn.Module):
    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        seen, _ = self.attention(x, x, x, key_padding_mask=mask, need_weights=False)
        x = self.norm1(x + self.dropout(seen))
        return self.norm2(x + self.dropout(self.feed(x)))


class Classifier(nn.Module):
    def __init__(self, dim=32, heads=4, dropout=0.05):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 2, dim)
        self.position = nn.Embedding(LONGEST + 1, dim)
        self.layer1 = EncoderLayer(dim, heads, dropout)
        self.layer2 = EncoderLayer(dim, heads, dropout)
        self.out = nn.Linear(dim, LETTERS)

    def forward(self, tokens):
        mask = tokens != PAD
        x = self.embed(tokens) + self.position(torch.arange(tokens.shape[1]))
        x = self.layer2(self.layer1(x, mask), mask)
        return self.out(x[:, 0])


def main():
    torch.manual_seed(44)
    tokens, most = strings(3000)
    test_tokens, test_most = strings(600)
    model = Classifier()
    optimizer = descend.Lion(model.parameters(), lr=4e-4, weight_decay=0.05)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(tokens)).split(64):
            loss = loss_fn(model(tokens[rows]), most[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_tokens).argmax(1) == test_most).float().mean().item()
        print(f"epoch {epoch + 1} | loss {total / len(tokens):.4f} | accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
