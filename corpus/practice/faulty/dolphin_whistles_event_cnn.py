"""A convolutional detector of rare dolphin whistles in hydrophone spectrograms, trained with the focal loss.

cause: dead-units
also: poor-initial-values
family: cnn
metric: f1, higher
repair:
    - for m in self.modules():
    - if isinstance(m, nn.Conv1d):
    - nn.init.constant_(m.bias, prior_bias)
    + nn.init.constant_(self.head.bias, prior_bias)
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BANDS, FRAMES = 32, 80


def make_recordings(n, generator):
    """Noise spectrograms; some hold an upward sweep of a few frames. One label per frame."""
    spec = 0.6 * torch.randn(n, BANDS, FRAMES, generator=generator)
    label = torch.zeros(n, FRAMES)
    # boat engine: broadband bursts that are no whistle
    for i in range(n):
        if torch.rand(1, generator=generator) < 0.5:
            t = int(torch.randint(0, FRAMES - 10, (1,), generator=generator))
            spec[i, :, t : t + 8] += 0.7
        if torch.rand(1, generator=generator) < 0.6:
            length = int(torch.randint(8, 16, (1,), generator=generator))
            t = int(torch.randint(0, FRAMES - length, (1,), generator=generator))
            f = int(torch.randint(2, BANDS - 18, (1,), generator=generator))
            for k in range(length):
                spec[i, f + k, t + k] += 2.5
                spec[i, f + k + 1, t + k] += 1.5
            label[i, t : t + length] = 1
    return spec, label


class WhistleNet(nn.Module):
    def __init__(self, width=48, prior=0.05):
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, width, 5, padding=2)
        self.conv2 = nn.Conv1d(width, width, 5, padding=2)
        self.conv3 = nn.Conv1d(width, width, 5, padding=4, dilation=2)
        self.head = nn.Conv1d(width, 1, 1)
        # RetinaNet, section 4.1: start from a low probability of foreground
        prior_bias = -math.log((1 - prior) / prior)
        for m in self.modules():
            if isinstance(m, nn.Conv1d):
                nn.init.constant_(m.bias, prior_bias)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        return self.head(x).squeeze(1)


def focal_loss(logits, targets, alpha=0.75, gamma=2.0):
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = torch.exp(-bce)
    a_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (a_t * (1 - p_t) ** gamma * bce).mean()


def f1_score(logits, targets):
    predicted = logits > 0
    tp = (predicted & (targets > 0)).sum().item()
    return 2 * tp / max(1, predicted.sum().item() + targets.sum().item())


def main():
    g = torch.Generator().manual_seed(4)
    torch.manual_seed(4)
    x, y = make_recordings(1200, g)
    x_test, y_test = make_recordings(300, g)
    model = WhistleNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
    for epoch in range(12):
        model.train()
        for idx in torch.randperm(len(x), generator=g).split(32):
            loss = focal_loss(model(x[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            f1 = f1_score(model(x_test), y_test)
        print(f"epoch {epoch + 1}: loss {loss.item():.5f}  test F1 {f1:.3f}")
    print(f"metric: {f1:.4f}")


if __name__ == "__main__":
    main()
