"""Street signs marked by volunteers, a quarter of whose marks are wrong; smoothed labels, few passes.

family: cnn
metric: accuracy on signs checked by experts, higher
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(112)
torch.manual_seed(112)

SHAPES, SIZE, SMOOTHING = 8, 16, 0.2


def sign(kind):
    yy, xx = np.mgrid[0:SIZE, 0:SIZE]
    cy, cx, r = rng.uniform(6.5, 9.5), rng.uniform(6.5, 9.5), rng.uniform(4.5, 6.5)
    dy, dx = (yy - cy) / r, (xx - cx) / r
    outline = [
        np.hypot(dy, dx) < 1,
        np.abs(dy) + np.abs(dx) < 1.1,
        np.maximum(np.abs(dy), np.abs(dx)) < 0.85,
        (dy < 0.7) & (dy > 2 * np.abs(dx) - 1),
    ][kind % 4]
    img = 0.2 + 0.6 * outline
    if kind < 4:
        img = img - 0.4 * (outline & (np.abs(dy) < 0.25))
    else:
        img = img - 0.4 * (outline & (np.abs(dx) < 0.25))
    return img * rng.uniform(0.6, 1.2) + rng.normal(0, 0.15, img.shape)


truth = rng.integers(0, SHAPES, 4000)
images = torch.tensor(np.stack([sign(k) for k in truth]), dtype=torch.float32).unsqueeze(1)
images = (images - images.mean()) / images.std()
marks = np.where(rng.random(4000) < 0.25, rng.integers(0, SHAPES, 4000), truth)
train_x, train_y = images[:3200], torch.tensor(marks[:3200])
test_x, test_y = images[3200:], torch.tensor(truth[3200:])

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(32 * 16, SHAPES),
)
criterion = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3, nesterov=True)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 6], gamma=0.2)

for epoch in range(8):
    model.train()
    hits = 0
    for idx in torch.randperm(len(train_x)).split(64):
        logits = model(train_x[idx])
        loss = criterion(logits, train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        hits += (logits.argmax(1) == train_y[idx]).sum().item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1} agreement with the marks {hits / len(train_x):.3f} expert accuracy {acc:.3f}")
print(f"metric: {acc:.4f}")
