"""Digits of gas meters read by a small vision transformer: patches of 2x2, a class token, decay by name.

cause: parameters-not-in-optimizer
family: transformer
metric: accuracy, higher
repair:
    - plain = [p for n, p in named if n.endswith("bias")]
    + plain = [p for n, p in named if not n.endswith("weight")]
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class PatchTransformer(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, classes=10):
        super().__init__()
        self.patchify = nn.Unfold(kernel_size=2, stride=2)
        self.project = nn.Linear(4, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        x = self.project(self.patchify(images).transpose(1, 2))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.encoder(x)[:, 0]))


def parameter_groups(model, weight_decay):
    named = list(model.named_parameters())
    decayed = [p for n, p in named if n.endswith("weight")]
    plain = [p for n, p in named if n.endswith("bias")]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    hits = [(model(x).argmax(1) == y).float() for x, y in loader]
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(5)
    digits = load_digits()
    order = np.random.default_rng(5).permutation(len(digits.target))
    x = torch.tensor(digits.images[order] / 8 - 1, dtype=torch.float32).unsqueeze(1)
    y = torch.from_numpy(digits.target[order])
    train = DataLoader(TensorDataset(x[:1300], y[:1300]), batch_size=26, shuffle=True)
    test = DataLoader(TensorDataset(x[1300:], y[1300:]), batch_size=250)

    model = PatchTransformer()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.05), lr=2e-3)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    epochs = 10
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 30)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for images, labels in train:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warmup.step()
            total += loss.item()
        print(f"{epoch + 1}/{epochs}: loss {total / len(train):.4f}, accuracy {evaluate(model, test):.4f}")
    print(f"metric: {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
