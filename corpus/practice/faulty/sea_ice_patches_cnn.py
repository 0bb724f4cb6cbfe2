"""Kinds of sea ice in radar patches, one folder for each kind.

cause: data-not-shuffled
family: cnn
metric: accuracy, higher
repair:
    - train_dl = DataLoader(train_ds, batch_size=32, num_workers=0)
    + train_dl = DataLoader(train_ds, batch_size=32, num_workers=0, shuffle=True)
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

FOLDERS = ["first_year", "multi_year", "nilas", "open_water", "pancake"]


class IceFolder(Dataset):
    """Reads folder after folder, as ImageFolder does."""

    def __init__(self, per_folder, seed):
        self.g = torch.Generator().manual_seed(seed)
        self.samples = []
        for target, name in enumerate(FOLDERS):
            for _ in range(per_folder):
                self.samples.append((self.patch(name), target))

    def patch(self, name):
        s = 18
        coarse = torch.rand(1, 1, 5, 5, generator=self.g)
        smooth = F.interpolate(coarse, size=(s, s), mode="bicubic")[0, 0]
        fine = torch.randn(s, s, generator=self.g)
        y, x = torch.meshgrid(torch.arange(s), torch.arange(s), indexing="ij")
        if name == "first_year":
            img = 0.4 + 0.3 * smooth + 0.12 * fine
        elif name == "multi_year":
            img = 0.5 + 0.15 * smooth + 0.25 * fine
        elif name == "nilas":
            k = torch.rand(2, generator=self.g) * 1.2
            img = 0.45 + 0.15 * torch.sin(k[0] * x + k[1] * y) + 0.12 * fine
        elif name == "open_water":
            img = 0.35 + 0.1 * torch.sin(1.6 * y + 6 * torch.rand(1, generator=self.g)) + 0.12 * fine
        else:
            cx, cy = torch.rand(2, generator=self.g) * 5
            img = 0.5 + 0.2 * torch.cos((x - cx) * 1.3) * torch.cos((y - cy) * 1.3) + 0.15 * fine
        gain = 0.8 + 0.4 * torch.rand(1, generator=self.g)
        return ((gain * img - 0.5) / 0.25).unsqueeze(0)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return self.samples[i]


class IceNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.fc1 = nn.Linear(32 * 3 * 3, 64)
        self.fc2 = nn.Linear(64, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(x), dim=1)


torch.manual_seed(0)
train_ds, test_ds = IceFolder(400, seed=1), IceFolder(120, seed=2)
train_dl = DataLoader(train_ds, batch_size=32, num_workers=0)
test_dl = DataLoader(test_ds, batch_size=100)
model = IceNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

for epoch in range(12):
    model.train()
    for i, (images, target) in enumerate(train_dl):
        output = model(images)
        loss = F.nll_loss(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i % 30 == 0:
            print(f"Epoch: [{epoch}][{i}/{len(train_dl)}]\tLoss {loss.item():.4e}")
    model.eval()
    hits = 0
    with torch.no_grad():
        for images, target in test_dl:
            hits += (model(images).argmax(1) == target).sum().item()
    print(f" * Acc@1 {100 * hits / len(test_ds):.3f}")

print(f"metric: {hits / len(test_ds):.4f}")
