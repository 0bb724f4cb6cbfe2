"""Snoring, coughing or quiet in a second of sound energy; one-dimensional convolutions in bfloat16.

family: cnn
metric: accuracy, higher
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = ("quiet", "snore", "cough", "talk")


def clips(n, generator):
    t = torch.linspace(0, 1, 128)
    y = torch.randint(0, 4, (n,), generator=generator)
    x = 0.3 * torch.randn(n, 128, generator=generator)
    start = torch.rand(n, 1, generator=generator) * 0.6
    loud = 0.5 + torch.rand(n, 1, generator=generator)
    pitch = 18 + 8 * torch.rand(n, 1, generator=generator)
    since = (t - start).clamp(min=0)
    snore = torch.sin(2 * torch.pi * pitch * t) * torch.exp(-(((t - start - 0.2) / 0.15) ** 2))
    cough = torch.randn(n, 128, generator=generator) * torch.exp(-since * 12) * (t > start)
    talk = torch.sin(2 * torch.pi * 2.2 * pitch * t) * torch.sin(2 * torch.pi * 4 * (t + start)) * 0.7
    for k, sound in ((1, snore), (2, cough), (3, talk)):
        x = x + (y == k).float().unsqueeze(1) * loud * sound
    return x.unsqueeze(1), y


class SoundNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 1
        for width in (16, 32, 48):
            layers += [
                nn.Conv1d(channels, width, 7, padding=3),
                nn.BatchNorm1d(width),
                nn.GELU(),
                nn.MaxPool1d(2),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, len(CLASSES))

    def forward(self, x):
        h = self.features(x)
        return self.classifier(h.amax(-1))


def run():
    torch.manual_seed(9)
    g = torch.Generator().manual_seed(9)
    train = DataLoader(TensorDataset(*clips(4000, g)), batch_size=64, shuffle=True)
    test_x, test_y = clips(800, g)
    model = SoundNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(4):
        model.train()
        running = 0.0
        for x, y in train:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
                logits = model(x)
            loss = nn.functional.cross_entropy(logits.float(), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            running += loss.item()
        model.eval()
        with torch.inference_mode():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch}: {running / len(train):.4f} / {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    run()
