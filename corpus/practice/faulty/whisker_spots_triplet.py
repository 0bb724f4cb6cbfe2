"""Which sea lion it is from the pattern of its whisker spots; an embedding learned from triplets.

cause: not-finite
family: siamese
metric: nearest-neighbour accuracy, higher
repair:
    - return (a - b).pow(2).sum(dim=1).sqrt()
    + return ((a - b).pow(2).sum(dim=1) + 1e-8).sqrt()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def make_animals(n_animals, photos, rng):
    """Spots as a 16 x 16 picture, a bit shifted and blurred on each photo."""
    spots = rng.uniform(2, 14, size=(n_animals, 9, 2))
    yy, xx = np.mgrid[0:16, 0:16]
    images, ids = [], []
    for animal in range(n_animals):
        for _ in range(photos):
            p = spots[animal] + rng.normal(0, 1.3, 2) + rng.normal(0, 0.45, (9, 2))
            d = (yy[None] - p[:, :1, None]) ** 2 + (xx[None] - p[:, 1:, None]) ** 2
            img = np.exp(-d / rng.uniform(1.0, 2.2)).max(0) + rng.normal(0, 0.12, (16, 16))
            images.append(img)
            ids.append(animal)
    return np.array(images, dtype=np.float32), np.array(ids)


class TripletDataset(Dataset):
    def __init__(self, images, ids, seed=0):
        self.images = torch.from_numpy(images).unsqueeze(1)
        self.ids = ids
        self.rng = np.random.default_rng(seed)
        self.by_id = {i: np.flatnonzero(ids == i) for i in np.unique(ids)}

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        me = self.ids[i]
        pos = self.rng.choice(self.by_id[me])
        other = self.rng.choice([k for k in self.by_id if k != me])
        neg = self.rng.choice(self.by_id[other])
        return self.images[i], self.images[pos], self.images[neg]


class EmbeddingNet(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Linear(24 * 16, dim)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


def distance(a, b):
    return (a - b).pow(2).sum(dim=1).sqrt()


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        return torch.relu(distance(anchor, positive) - distance(anchor, negative) + self.margin).mean()


@torch.no_grad()
def nearest_accuracy(net, gallery, gallery_ids, query, query_ids):
    net.eval()
    g = net(torch.from_numpy(gallery).unsqueeze(1))
    q = net(torch.from_numpy(query).unsqueeze(1))
    nearest = torch.cdist(q, g).argmin(1).numpy()
    return float((gallery_ids[nearest] == query_ids).mean())


if __name__ == "__main__":
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    images, ids = make_animals(40, 60, rng)
    is_query = np.arange(len(ids)) % 6 == 0
    train = TripletDataset(images[~is_query], ids[~is_query])
    loader = DataLoader(train, batch_size=50, shuffle=True)
    net = EmbeddingNet()
    criterion = TripletLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(10):
        net.train()
        losses = []
        for a, p, n in loader:
            optimizer.zero_grad()
            loss = criterion(net(a), net(p), net(n))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        acc = nearest_accuracy(net, images[~is_query], ids[~is_query], images[is_query], ids[is_query])
        print(f"Epoch [{epoch + 1}/10]  triplet loss: {np.mean(losses):.4f}  1-NN: {acc:.3f}")
    print(f"metric: {acc:.4f}")
