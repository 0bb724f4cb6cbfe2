"""A vision transformer on handwritten digits cut into 2x2 patches; label smoothing.

family: transformer
metric: accuracy, higher
"""

import math

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset


class PatchTransformer(nn.Module):
    def __init__(self, dim=48, depth=1, heads=4):
        super().__init__()
        self.patches = nn.Conv2d(1, dim, kernel_size=2, stride=2)
        self.position = nn.Parameter(torch.randn(1, 16, dim) * 0.2)
        layer = nn.TransformerEncoderLayer(
            dim,
            heads,
            dim_feedforward=2 * dim,
            dropout=0.05,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 10)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = self.encoder(x + self.position)
        return self.head(self.norm(x).mean(dim=1))


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(1) == labels).sum().item()
            total += len(labels)
    return right / total


def main():
    torch.manual_seed(1)
    digits = load_digits()
    a, b, la, lb = train_test_split(digits.images, digits.target, test_size=0.25, random_state=1)
    as_set = lambda x, y: TensorDataset(  # noqa: E731
        (torch.tensor(x, dtype=torch.float32)[:, None] - 4.9) / 6.0, torch.tensor(y)
    )
    train = DataLoader(as_set(a, la), batch_size=32, shuffle=True)
    test = DataLoader(as_set(b, lb), batch_size=450)

    model = PatchTransformer()
    epochs = 14
    total = epochs * len(train)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    scheduler = LambdaLR(
        optimizer,
        lambda s: s / 40 if s < 40 else max(0.0, 0.5 * (1 + math.cos(math.pi * (s - 40) / (total - 40)))),
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {accuracy(model, test):.4f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
