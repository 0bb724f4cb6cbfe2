"""A plain recurrent network that tells from a dive computer's record how experienced the diver is.

cause: vanishing-gradients
family: rnn
metric: accuracy, higher
repair:
    - self.rnn = nn.RNN(input_size, hidden_size, num_layers=1, batch_first=True)
    + self.rnn = nn.LSTM(input_size, hidden_size, num_layers=1, batch_first=True)
    + with torch.no_grad():
    +     self.rnn.bias_hh_l0[hidden_size : 2 * hidden_size] = 4.0
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SAMPLES = 100  # one every twenty seconds


def dive(rng, level):
    """Depth rate and breathing rate; beginners descend in steps, the bottom phase is the same for all."""
    rate = 0.25 * rng.standard_normal(SAMPLES)
    breath = 0.5 * rng.standard_normal(SAMPLES)
    start = rng.integers(0, 3)
    if level == 0:  # slow with halts
        rate[start : start + 12 : 3] += 1.6
    elif level == 1:  # steady
        rate[start : start + 10] += 0.8
    elif level == 2:  # head first
        rate[start : start + 4] += 2.0
        breath[start : start + 6] -= 1.0
    else:  # descends along the line, breathing fast
        rate[start : start + 8] += 0.6
        breath[start : start + 10] += 1.2
    rate[20:] += 0.7 * np.sin(np.arange(SAMPLES - 20) / rng.uniform(3, 9) + rng.uniform(0, 6.28))
    breath[20:] += 0.5 * np.cos(np.arange(SAMPLES - 20) / rng.uniform(3, 9))
    return np.stack([rate, breath], axis=1)


class DiverNet(nn.Module):
    def __init__(self, input_size=2, hidden_size=40, n_classes=4):
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, num_layers=1, batch_first=True)
        self.fc = nn.Linear(hidden_size, n_classes)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out[:, -1, :])


def evaluate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


def main():
    rng = np.random.default_rng(17)
    torch.manual_seed(17)
    levels = rng.integers(0, 4, 1600)
    x = torch.tensor(np.stack([dive(rng, k) for k in levels]), dtype=torch.float32)
    y = torch.tensor(levels)
    train = DataLoader(TensorDataset(x[:1300], y[:1300]), batch_size=32, shuffle=True)
    test = DataLoader(TensorDataset(x[1300:], y[1300:]), batch_size=300)
    model = DiverNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        model.train()
        running_loss = 0.0
        for inputs, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running_loss += loss.item()
        accuracy = evaluate(model, test)
        print(f"Epoch [{epoch + 1}/12], Loss: {running_loss / len(train):.4f}, Test accuracy: {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
