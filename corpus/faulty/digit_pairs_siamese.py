"""A siamese network that says whether two handwritten digits show the same number.

cause: frozen-parameters
family: siamese
metric: accuracy, higher
repair:
    - @torch.no_grad()
    - def embed(self, image):
    + def embed(self, image):
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class Siamese(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, dim),
        )
        self.compare = nn.Sequential(nn.Linear(dim, 16), nn.ReLU(), nn.Linear(16, 1))

    @torch.no_grad()
    def embed(self, image):
        return self.trunk(image)

    def forward(self, left, right):
        gap = (self.embed(left) - self.embed(right)).abs()
        return self.compare(gap).squeeze(-1)


def pairs(images, labels, n, generator):
    left = torch.randint(len(images), (n,), generator=generator)
    right = torch.randint(len(images), (n,), generator=generator)
    # half of the pairs show the same number
    for k in range(0, n, 2):
        same = (labels == labels[left[k]]).nonzero().squeeze(1)
        right[k] = same[torch.randint(len(same), (1,), generator=generator)]
    return images[left], images[right], (labels[left] == labels[right]).float()


def main():
    torch.manual_seed(9)
    generator = torch.Generator().manual_seed(9)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    left, right, same = pairs(images[:1300], labels[:1300], 6000, generator)
    test_left, test_right, test_same = pairs(images[1300:], labels[1300:], 1500, generator)

    net = Siamese()
    optimizer = torch.optim.Adamax(net.parameters(), lr=8e-3)
    for epoch in range(8):
        seen = 0.0
        for rows in torch.randperm(6000).split(64):
            loss = F.binary_cross_entropy_with_logits(net(left[rows], right[rows]), same[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(rows)
        print(f"epoch {epoch}  loss {seen / 6000:.4f}")

    with torch.no_grad():
        guess = net(test_left, test_right) > 0
    print(f"metric: {(guess == test_same.bool()).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
