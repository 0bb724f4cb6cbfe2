"""A network trained on the digits 0 to 4 is kept as it is; only a new head learns 5 to 9 from few examples.

family: cnn
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def split(digits, seed):
    """Training and test sets of these digits, named from 0."""
    x, y = load_digits(return_X_y=True)
    keep = (y >= digits[0]) & (y <= digits[-1])
    x = torch.tensor(x[keep], dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1
    y = torch.tensor(y[keep]) - digits[0]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, y = x[order], y[order]
    return TensorDataset(x[:-250], y[:-250]), TensorDataset(x[-250:], y[-250:])


def body():
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1),
        nn.GroupNorm(4, 24),
        nn.GELU(),
        nn.Conv2d(24, 48, 3, padding=1),
        nn.GroupNorm(4, 48),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48 * 16, 64),
        nn.GELU(),
    )


def fit(model, parameters, train, test, epochs, lr):
    loader = DataLoader(train, batch_size=32, shuffle=True)
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-3)
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.05)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            accuracy = (model(test.tensors[0]).argmax(1) == test.tensors[1]).float().mean().item()
        if epoch % 5 == 4 or epochs < 20:
            print(f"  epoch {epoch + 1}: loss {loss.item():.4f}, accuracy {accuracy:.4f}")
    return accuracy


def main():
    torch.manual_seed(11)
    trunk = body()
    print("digits 0 to 4")
    first = nn.Sequential(trunk, nn.Linear(64, 5))
    fit(first, first.parameters(), *split(range(5), seed=1), epochs=15, lr=1e-3)

    print("digits 5 to 9")
    for parameter in trunk.parameters():
        parameter.requires_grad_(False)
    head = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 5))
    second = nn.Sequential(trunk, head)
    accuracy = fit(second, head.parameters(), *split(range(5, 10), seed=2), epochs=40, lr=2e-3)
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
