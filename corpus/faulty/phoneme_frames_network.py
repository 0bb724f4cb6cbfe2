"""Phoneme classes from single frames of filter-bank energies.

cause: repeated-batch
family: mlp
metric: accuracy, higher
repair:
    - train_loader = DataLoader(train, batch_size=100)
    + train_loader = DataLoader(train, batch_size=100, shuffle=True)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

BANDS, PHONEMES = 40, 16


def frames(count):
    rng = np.random.default_rng(16)
    formants = np.sort(rng.uniform(3, 37, (PHONEMES, 3)), axis=1)
    loud = rng.uniform(0.5, 1.5, (PHONEMES, 3))
    labels = rng.integers(0, PHONEMES, count)
    shift = rng.normal(0, 1.1, (count, 1)) + rng.normal(0, 0.7, (count, 3))
    centres = formants[labels] + shift
    bands = np.arange(BANDS)
    energy = (loud[labels][:, :, None] * np.exp(-((bands - centres[:, :, None]) ** 2) / 6)).sum(1)
    energy += 0.35 * rng.normal(size=(count, BANDS))
    energy = (energy - energy.mean(0)) / energy.std(0)
    return torch.tensor(energy, dtype=torch.float32), torch.tensor(labels)


def evaluate(model, loader):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    model.train()
    return right / len(loader.dataset)


def main(max_steps=900, report_every=150):
    torch.manual_seed(40)
    data = TensorDataset(*frames(7000))
    train, test = random_split(data, [6000, 1000])
    train_loader = DataLoader(train, batch_size=100)
    test_loader = DataLoader(test, batch_size=500)
    model = nn.Sequential(
        nn.Linear(BANDS, 200),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(200, 100),
        nn.ReLU(),
        nn.Linear(100, PHONEMES),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    mean_loss = 0.0
    for step in range(1, max_steps + 1):
        inputs, labels = next(iter(train_loader))
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        mean_loss += loss.item() / report_every
        if step % report_every == 0:
            with torch.no_grad():
                accuracy = evaluate(model, test_loader)
            print(f"step {step}: loss {mean_loss:.4f}, test accuracy {accuracy:.4f}")
            mean_loss = 0.0
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
