"""Six kinds of marks on skin, from small colour pictures as a clinic collected them.

cause: class-imbalance
family: cnn
metric: macro recall, higher
repair:
    - loader = DataLoader(train, batch_size=32, shuffle=True)
    + share = torch.bincount(train.labels).float()
    + sampler = torch.utils.data.WeightedRandomSampler(1 / share[train.labels], len(train))
    + loader = DataLoader(train, batch_size=32, sampler=sampler)
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIZE = 16
COUNTS = [1600, 330, 110, 70, 55, 45]


class Marks(Dataset):
    def __init__(self, counts, seed):
        g = torch.Generator().manual_seed(seed)
        self.labels = torch.cat([torch.full((c,), k) for k, c in enumerate(counts)])
        n = len(self.labels)
        grid = torch.linspace(-1, 1, SIZE)
        yy, xx = torch.meshgrid(grid, grid, indexing="ij")

        def u(low, high, *shape):
            return low + (high - low) * torch.rand(n, *shape, generator=g)

        k = self.labels.view(-1, 1, 1)
        ragged = 0.04 + 0.36 * (k % 2)
        theta = torch.atan2(yy - u(-0.2, 0.2, 1, 1), xx - u(-0.2, 0.2, 1, 1))
        radius = torch.sqrt(xx**2 + yy**2 + 1e-6)
        edge = u(0.35, 0.6, 1, 1) * (1 + ragged * torch.sin(5 * theta + u(0, 6, 1, 1)))
        mask = torch.sigmoid(12 * (edge - radius)).unsqueeze(1)
        skin = torch.tensor([0.85, 0.65, 0.55]).view(1, 3, 1, 1) * u(0.7, 1.1, 1, 1, 1)
        tones = torch.tensor([[0.45, 0.3, 0.25], [0.5, 0.2, 0.2], [0.35, 0.3, 0.35]])
        tone = tones[self.labels // 2].view(n, 3, 1, 1) + 0.05 * torch.randn(n, 3, 1, 1, generator=g)
        image = skin * (1 - mask) + tone * mask
        self.images = (image + 0.06 * torch.randn(n, 3, SIZE, SIZE, generator=g) - 0.6) / 0.25

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def conv(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1), nn.GroupNorm(4, cout), nn.ReLU(), nn.MaxPool2d(2)
    )


def recalls(net, data):
    net.eval()
    with torch.no_grad():
        guesses = torch.cat([net(x).argmax(1) for x in data.images.split(300)])
    return [(guesses[data.labels == k] == k).float().mean().item() for k in range(len(COUNTS))]


def main():
    torch.manual_seed(0)
    train = Marks(COUNTS, seed=1)
    valid = Marks([100] * 6, seed=2)
    loader = DataLoader(train, batch_size=32, shuffle=True)
    net = nn.Sequential(
        conv(3, 16), conv(16, 32), conv(32, 32), nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, len(COUNTS))
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)
    for epoch in range(9):
        net.train()
        total, hits = 0.0, 0
        for images, labels in loader:
            out = net(images)
            loss = nn.functional.cross_entropy(out, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            hits += (out.argmax(1) == labels).sum().item()
        found = recalls(net, valid)
        print(f"{epoch}: loss {total / len(train):.4f} train accuracy {hits / len(train):.3f}", end="  ")
        print("recall", " ".join(f"{r:.2f}" for r in found))
    print(f"metric: {sum(found) / len(found):.4f}")


if __name__ == "__main__":
    main()
