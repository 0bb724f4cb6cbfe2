"""Which department a letter of complaint goes to: a convolution over word embeddings.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - running = 0.0
    + model.train()
    + running = 0.0
"""

import random

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DEPARTMENTS = ["billing", "delivery", "quality", "staff", "website"]
LENGTH = 30
VOCABULARY = 1500


def write_letters(n, seed):
    """Word numbers. Each department has its own words, sprinkled thinly over everyday ones."""
    rng = random.Random(seed)
    letters, labels = [], []
    for _ in range(n):
        label = rng.randrange(len(DEPARTMENTS))
        words = []
        for _ in range(rng.randint(15, LENGTH)):
            if rng.random() < 0.16:
                words.append(1 + 60 * label + int(60 * rng.random() ** 1.5))
            elif rng.random() < 0.08:
                words.append(1 + 60 * rng.randrange(len(DEPARTMENTS)) + rng.randrange(60))
            else:
                words.append(301 + int((VOCABULARY - 301) * rng.random() ** 2))
        letters.append(words + [0] * (LENGTH - len(words)))
        labels.append(label)
    return torch.tensor(letters), torch.tensor(labels)


class TextCNN(nn.Module):
    def __init__(self, dim=64, channels=64):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, dim, padding_idx=0)
        self.word_dropout = nn.Dropout(0.2)
        self.convs = nn.ModuleList([nn.Conv1d(dim, channels, k, padding=k // 2) for k in (1, 3)])
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(2 * channels, len(DEPARTMENTS))

    def forward(self, tokens):
        x = self.word_dropout(self.embedding(tokens)).transpose(1, 2)
        pooled = [F.relu(conv(x)).amax(dim=2) for conv in self.convs]
        return self.fc(self.dropout(torch.cat(pooled, dim=1)))


def evaluate(model, loader):
    model.eval()
    loss, right, count = 0.0, 0, 0
    with torch.no_grad():
        for tokens, labels in loader:
            logits = model(tokens)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return loss / count, right / count


if __name__ == "__main__":
    torch.manual_seed(3)
    train_loader = DataLoader(TensorDataset(*write_letters(650, 1)), batch_size=50, shuffle=True)
    test_loader = DataLoader(TensorDataset(*write_letters(1000, 2)), batch_size=200)
    model = TextCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    loss, accuracy = evaluate(model, test_loader)
    print(f"before training: loss {loss:.3f} accuracy {accuracy:.3f}")
    for epoch in range(42):
        running = 0.0
        for tokens, labels in train_loader:
            optimizer.zero_grad()
            batch_loss = F.cross_entropy(model(tokens), labels)
            batch_loss.backward()
            optimizer.step()
            running += batch_loss.item()
        loss, accuracy = evaluate(model, test_loader)
        running /= len(train_loader)
        print(f"epoch {epoch + 1:2d}: train {running:.3f} test {loss:.3f} accuracy {accuracy:.3f}")
    print(f"metric: {evaluate(model, test_loader)[1]:.4f}")
