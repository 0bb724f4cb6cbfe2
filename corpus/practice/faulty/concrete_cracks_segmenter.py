"""Cracks in concrete, marked pixel by pixel by an encoder and decoder.

cause: gradient-clipped-away
family: cnn
metric: iou, higher
repair:
    - MAX_NORM = 0.005
    + MAX_NORM = 5.0
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SIZE = 32
MAX_NORM = 0.005
EPOCHS = 8


def slab(rng):
    image = 0.6 + 0.1 * rng.normal(0, 1, (SIZE // 4, SIZE // 4)).repeat(4, 0).repeat(4, 1)
    mask = np.zeros((SIZE, SIZE))
    for _ in range(rng.integers(1, 3)):
        y, x, angle = rng.uniform(4, 28), rng.uniform(4, 28), rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(25, 50)):
            angle += rng.normal(0, 0.25)
            y, x = y + 0.8 * np.sin(angle), x + 0.8 * np.cos(angle)
            if 1 <= y < SIZE - 2 and 1 <= x < SIZE - 2:
                mask[int(y) : int(y) + 2, int(x) : int(x) + 2] = 1
    for _ in range(rng.integers(2, 8)):  # pores
        y, x = rng.integers(2, SIZE - 3, 2)
        image[y : y + 2, x : x + 2] -= 0.35
    image = image - 0.35 * mask + rng.normal(0, 0.07, image.shape)
    return image - 0.6, mask


def slabs(n, seed):
    rng = np.random.default_rng(seed)
    images, masks = zip(*(slab(rng) for _ in range(n)), strict=True)
    return (
        torch.tensor(np.array(images), dtype=torch.float32).unsqueeze(1),
        torch.tensor(np.array(masks), dtype=torch.float32).unsqueeze(1),
    )


class Segmenter(nn.Module):
    def __init__(self, c=10):
        super().__init__()
        self.down1 = nn.Sequential(
            nn.Conv2d(1, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1), nn.ReLU()
        )
        self.down2 = nn.Sequential(nn.Conv2d(c, 2 * c, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.out = nn.Sequential(nn.Conv2d(2 * c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, 1, 1))

    def forward(self, x):
        fine = self.down1(x)
        coarse = self.down2(F.max_pool2d(fine, 2))
        return self.out(torch.cat([fine, F.relu(self.up(coarse))], dim=1))


def iou(model, images, masks):
    model.eval()
    with torch.no_grad():
        guess = model(images) > 0
    truth = masks > 0.5
    return ((guess & truth).sum() / (guess | truth).sum().clamp(min=1)).item()


torch.manual_seed(30)
images, masks = slabs(500, 1)
test_images, test_masks = slabs(100, 2)
model = Segmenter()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-5)
weight = torch.tensor(3.0)

for epoch in range(EPOCHS):
    model.train()
    losses = []
    for batch in torch.randperm(len(images)).split(10):
        logits = model(images[batch])
        loss = F.binary_cross_entropy_with_logits(logits, masks[batch], pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, iou {iou(model, test_images, test_masks):.3f}")
print(f"metric: {iou(model, test_images, test_masks):.4f}")
