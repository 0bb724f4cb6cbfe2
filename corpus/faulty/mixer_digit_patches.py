"""An MLP-Mixer that reads handwritten digits as sixteen patches.

cause: decay-too-strong
family: mlp
metric: accuracy, higher
repair:
    - WEIGHT_DECAY = 0.05
    + WEIGHT_DECAY = 1e-4
"""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import LinearLR

EPOCHS = 12
BATCH = 64
LEARNING_RATE = 0.1
WEIGHT_DECAY = 0.05
PATCHES, DIM = 16, 32


class MixerBlock(nn.Module):
    def __init__(self, patches, dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.tokens = nn.Sequential(
            nn.Linear(patches, 2 * patches), nn.GELU(), nn.Linear(2 * patches, patches)
        )
        self.channels = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.patch = nn.Linear(4, DIM)
        self.blocks = nn.Sequential(*(MixerBlock(PATCHES, DIM) for _ in range(depth)))
        self.norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, 10)

    def forward(self, images):
        patches = images.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3).flatten(1, 2)
        return self.head(self.norm(self.blocks(self.patch(patches))).mean(1))


def load():
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).view(-1, 8, 8) / 8 - 1
    labels = torch.tensor(labels)
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    return images[:1400], labels[:1400], images[1400:], labels[1400:]


def main():
    torch.manual_seed(2021)
    train_x, train_y, test_x, test_y = load()
    model = Mixer()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=WEIGHT_DECAY)
    warmup = LinearLR(optimizer, start_factor=0.1, total_iters=30)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(train_x)).split(BATCH):
            loss = loss_function(model(train_x[rows]), train_y[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            warmup.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch + 1}/{EPOCHS} loss {loss.item():.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
