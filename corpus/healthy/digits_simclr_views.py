"""Digits represented without labels: two altered views of a picture shall meet, all others keep away.

family: cnn
metric: accuracy of a probe on forty labels, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

torch.manual_seed(0)
data = load_digits()
images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(data.target)
train, test = images[:1300], images[1300:]


def view(x):
    n = len(x)
    angle, grow = 0.35 * (torch.rand(n) - 0.5) * 2, 1 + 0.15 * torch.randn(n)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos() * grow
    theta[:, 0, 1], theta[:, 1, 0] = -angle.sin() * grow, angle.sin() * grow
    theta[:, :, 2] = 0.25 * torch.randn(n, 2)
    x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
    return x * (0.7 + 0.6 * torch.rand(n, 1, 1, 1)) + 0.05 * torch.randn_like(x)


encoder = nn.Sequential(
    nn.Conv2d(1, 24, 3, padding=1),
    nn.BatchNorm2d(24),
    nn.ReLU(),
    nn.Conv2d(24, 48, 3, stride=2, padding=1),
    nn.BatchNorm2d(48),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(48 * 16, 64),
)
projector = nn.Sequential(nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))


def nt_xent(a, b, temperature=0.2):
    z = F.normalize(torch.cat([a, b]), dim=1)
    similar = z @ z.T / temperature
    similar.fill_diagonal_(-1e9)
    partner = torch.arange(len(z)).roll(len(a))
    return F.cross_entropy(similar, partner)


def probe():
    encoder.eval()
    with torch.no_grad():
        z, z_test = encoder(train).numpy(), encoder(test).numpy()
    encoder.train()
    few = torch.cat([(labels[:1300] == c).nonzero()[:4, 0] for c in range(10)])
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(z[few], labels[few])
    return fitted.score(z_test, labels[1300:])


optimizer = torch.optim.AdamW([*encoder.parameters(), *projector.parameters()], lr=2e-3, weight_decay=1e-4)
for epoch in range(30):
    total = 0.0
    for rows in torch.randperm(len(train)).split(260):
        loss = nt_xent(projector(encoder(view(train[rows]))), projector(encoder(view(train[rows]))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 5
    if epoch % 6 == 0:
        print(f"epoch {epoch:2d}  contrastive loss {total:.3f}  probe {probe():.3f}")
print("metric:", probe())
