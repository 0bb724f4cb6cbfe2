"""Weight class and moisture of a loaf from a line scan: one convolutional trunk, two outputs.

cause: loss-broadcast
family: cnn
metric: R² of the moisture, higher
repair:
    - moisture = self.moisture_head(h)
    + moisture = self.moisture_head(h).squeeze(1)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def scans(n, seed):
    rng = np.random.default_rng(seed)
    t = np.linspace(-1, 1, 96)
    weight = rng.integers(0, 4, n)
    moisture = rng.beta(3, 3, n)
    half = 0.4 + 0.1 * weight + rng.normal(0, 0.02, n)
    profile = np.clip(1 - (t / half[:, None]) ** 2, 0, None) ** 0.5
    absorbed = np.exp(-1.2 * moisture[:, None] * profile)
    ripple = 0.08 * np.sin(40 * t + rng.uniform(0, 6.3, (n, 1))) * (profile > 0)
    gain = rng.normal(1, 0.05, (n, 1))
    signal = np.stack([profile * gain + ripple, absorbed * gain], 1) + rng.normal(0, 0.03, (n, 2, 96))
    return (
        torch.tensor(signal, dtype=torch.float32),
        torch.from_numpy(weight),
        torch.tensor((moisture - 0.5) / 0.19, dtype=torch.float32),
    )


class LoafNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv1d(2, 16, 7, stride=2, padding=3), nn.BatchNorm1d(16), nn.SiLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2), nn.BatchNorm1d(32), nn.SiLU(),
            nn.Conv1d(32, 32, 3, stride=2, padding=1), nn.SiLU(),
            nn.Flatten(), nn.Linear(32 * 12, 64), nn.SiLU(),
        )  # fmt: skip
        self.weight_head = nn.Linear(64, 4)
        self.moisture_head = nn.Linear(64, 1)

    def forward(self, x):
        h = self.trunk(x)
        moisture = self.moisture_head(h)
        return self.weight_head(h), moisture


def validate(model, data):
    x, weight, moisture = data
    model.eval()
    with torch.no_grad():
        logits, m = model(x)
    accuracy = (logits.argmax(1) == weight).float().mean().item()
    r2 = 1 - ((m.view(-1) - moisture) ** 2).mean() / moisture.var()
    return accuracy, r2.item()


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    torch.manual_seed(12)
    train, val = scans(3000, 1), scans(700, 2)
    net = LoafNet()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    batch = 50
    for epoch in range(12):
        net.train()
        sums = np.zeros(2)
        for idx in torch.randperm(3000).split(batch):
            x, weight, moisture = (part[idx] for part in train)
            logits, m = net(x)
            ce = F.cross_entropy(logits, weight)
            huber = F.huber_loss(m, moisture, delta=0.5)
            opt.zero_grad()
            (ce + huber).backward()
            opt.step()
            sums += [ce.item(), huber.item()]
        accuracy, r2 = validate(net, val)
        ce, huber = sums / (3000 / batch)
        print(
            f"{epoch:2d} | ce {ce:.3f} huber {huber:.3f} | val weight acc {accuracy:.3f} moisture R2 {r2:.3f}"
        )
    print(f"metric: {r2:.4f}")
