"""Quantiles of the glucose level half an hour ahead: a dilated causal network and the pinball loss.

family: cnn
metric: pinball loss, lower
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LEVELS = torch.tensor([0.1, 0.5, 0.9])


def day_of_glucose(rng, steps=288):
    meals = np.zeros(steps)
    for hour in (7.5, 12.5, 19):
        at = int((hour + rng.normal(0, 0.7)) * 12)
        meals[np.clip(at, 0, steps - 1)] += rng.uniform(30, 90)
    insulin = np.roll(meals, -2) * rng.uniform(0.7, 1.1)
    absorbed = active = 0.0
    level = rng.normal(7, 1.0)
    levels = np.empty(steps)
    for t in range(steps):
        absorbed = 0.93 * absorbed + 0.07 * meals[t]
        active = 0.96 * active + 0.04 * insulin[t]
        level += 0.09 * absorbed - 0.14 * active * (level > 4) + 0.03 * (6.5 - level) + rng.normal(0, 0.18)
        levels[t] = level
    return np.stack([levels, meals / 30, insulin / 30])


class Windows(Dataset):
    def __init__(self, days, length=36, ahead=6, stride=4):
        self.items = []
        for day in days:
            for start in range(0, day.shape[1] - length - ahead, stride):
                window = day[:, start : start + length].copy()
                target = day[0, start + length + ahead - 1] - window[0, -1]
                window[0] = (window[0] - 7) / 2.5
                self.items.append((torch.tensor(window, dtype=torch.float32), float(target)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        window, target = self.items[i]
        return window, torch.tensor(target, dtype=torch.float32)


class Causal(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.conv = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return x + self.drop(torch.relu(self.conv(self.pad(x))))


def pinball(prediction, target):
    error = target[:, None] - prediction
    return torch.maximum(LEVELS * error, (LEVELS - 1) * error).mean()


if __name__ == "__main__":
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    train = DataLoader(Windows([day_of_glucose(rng) for _ in range(50)]), batch_size=64, shuffle=True)
    test = DataLoader(Windows([day_of_glucose(rng) for _ in range(15)]), batch_size=256)
    body = [nn.Conv1d(3, 24, 1)] + [Causal(24, d) for d in (1, 2, 4, 8)]
    model = nn.Sequential(*body)
    head = nn.Linear(24, 3)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=2e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=1)
    for epoch in range(10):
        model.train()
        losses = []
        for window, target in train:
            loss = pinball(head(model(window)[:, :, -1]), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            held_out = np.mean([pinball(head(model(w)[:, :, -1]), t).item() for w, t in test])
        scheduler.step(held_out)
        print(f"epoch {epoch + 1}: pinball {np.mean(losses):.4f}, test {held_out:.4f}")
    print(f"metric: {held_out:.4f}")
