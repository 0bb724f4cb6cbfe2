"""Three species whose measurements overlap: class probabilities, compared with the best there can be.

family: mlp
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

CENTRES = np.array([[0.0, 0.0, 0.0, 0.0], [1.2, 0.9, 0.0, -0.7], [0.0, 1.3, 1.2, 0.6]])
SPREAD = np.array([0.9, 0.9, 1.0])


class Measurements(Dataset):
    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.species = rng.integers(0, 3, count)
        noise = rng.normal(size=(count, 4)) * SPREAD[self.species][:, None]
        self.values = (CENTRES[self.species] + noise).astype(np.float32)

    def __len__(self):
        return len(self.species)

    def __getitem__(self, i):
        return self.values[i], self.species[i]


def bayes_accuracy(data):
    distance = ((data.values[:, None] - CENTRES) ** 2).sum(-1)
    score = -distance / (2 * SPREAD**2) - 4 * np.log(SPREAD)
    return (score.argmax(1) == data.species).mean()


def run():
    torch.manual_seed(0)
    train, test = Measurements(6000, 1), Measurements(3000, 2)
    model = nn.Sequential(nn.Linear(4, 24), nn.ELU(), nn.Linear(24, 24), nn.ELU(), nn.Linear(24, 3))
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=8)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        losses = []
        for values, species in DataLoader(train, batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(values), species)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        decay.step()
        print(f"epoch {epoch}: cross entropy {np.mean(losses):.4f}")
    with torch.no_grad():
        guesses = model(torch.from_numpy(test.values)).argmax(1).numpy()
    print(f"best possible {bayes_accuracy(test):.4f}")
    return (guesses == test.species).mean()


if __name__ == "__main__":
    print(f"metric: {run():.4f}")
