"""A dilated convolutional network marks roads in aerial pictures, mirrored and turned while training.

cause: labels-misaligned
family: segmentation
metric: intersection over union, higher
repair:
    - image = torch.flip(image, [-1])
    + image, mask = torch.flip(image, [-1]), torch.flip(mask, [-1])
    - image = torch.rot90(image, turns, [-2, -1])
    + image, mask = torch.rot90(image, turns, [-2, -1]), torch.rot90(mask, turns, [-2, -1])
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIZE = 28


def aerial(generator):
    """Fields with a straight road or two across them, and shadows of hedges that are darker."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    image = (
        0.4 * F.interpolate(torch.randn(1, 1, 5, 5, generator=generator), (SIZE, SIZE), mode="bilinear")[0, 0]
    )
    mask = torch.zeros(SIZE, SIZE)
    for kind in (1, 1, 0):
        angle, offset = torch.rand(2, generator=generator)
        angle = 3.1416 * angle
        centre = SIZE / 2 + (offset - 0.5) * 14
        across = (rows - centre) * torch.cos(angle) + (columns - centre) * torch.sin(angle)
        line = across.abs() < 1.3
        if kind:
            mask[line] = 1
        image[line] = 0.8 if kind else -0.8
    return (image + 0.35 * torch.randn(SIZE, SIZE, generator=generator))[None], mask


class Roads(Dataset):
    def __init__(self, n, seed, augment=False):
        generator = torch.Generator().manual_seed(seed)
        self.pairs = [aerial(generator) for _ in range(n)]
        self.augment = augment

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        image, mask = self.pairs[i]
        if self.augment:
            if torch.rand(()) < 0.5:
                image = torch.flip(image, [-1])
            turns = int(torch.randint(4, ()))
            image = torch.rot90(image, turns, [-2, -1])
        return image, mask


def network(width=12):
    layers, last = [], 1
    for dilation in (1, 2, 4):
        layers += [
            nn.Conv2d(last, width, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        last = width
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 1))


def iou(net, loader):
    net.eval()
    both = either = 0
    with torch.no_grad():
        for image, mask in loader:
            guess, truth = net(image)[:, 0] > 0, mask > 0.5
            both += (guess & truth).sum().item()
            either += (guess | truth).sum().item()
    return both / max(either, 1)


if __name__ == "__main__":
    torch.manual_seed(66)
    train = DataLoader(Roads(640, 1, augment=True), batch_size=16, shuffle=True)
    held = DataLoader(Roads(160, 2), batch_size=40)
    net = network()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=6 * len(train))
    for epoch in range(6):
        net.train()
        losses = []
        for image, mask in train:
            loss = F.binary_cross_entropy_with_logits(net(image)[:, 0], mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, IoU {iou(net, held):.4f}")
    print(f"metric: {iou(net, held):.4f}")
