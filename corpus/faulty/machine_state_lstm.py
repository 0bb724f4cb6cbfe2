"""An LSTM that recognises the state of a machine from three vibrating sensors.

cause: parameters-not-in-optimizer
family: rnn
metric: accuracy, higher
repair:
    - elif isinstance(m, nn.LayerNorm):
    + elif isinstance(m, nn.LSTM):
    +     decay += [p for n, p in m.named_parameters() if "weight" in n]
    +     no_decay += [p for n, p in m.named_parameters() if "bias" in n]
    + elif isinstance(m, nn.LayerNorm):
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STATES = 5


def recordings(n, length=40):
    """Each state has its own rhythm and its own delay between the sensors."""
    state = torch.randint(STATES, (n,))
    t = torch.arange(length)[None, :, None]
    rhythm = torch.tensor([0.35, 0.35, 0.55, 0.55, 0.75])[state][:, None, None]
    delay = torch.tensor([0.0, 1.2, 0.0, 1.2, 0.6])[state][:, None, None]
    phase = 6.28 * torch.rand(n, 1, 1)
    x = torch.sin(rhythm * t + phase + delay * torch.arange(3)[None, None])
    return x + 0.7 * torch.randn(n, length, 3), state


class StateLSTM(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.project = nn.Linear(3, 8)
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.classify = nn.Linear(hidden, STATES)

    def forward(self, x):
        h, _ = self.lstm(torch.tanh(self.project(x)))
        return self.classify(self.norm(h[:, -1]))


def parameter_groups(model, weight_decay):
    decay, no_decay = [], []
    for m in model.modules():
        if isinstance(m, (nn.Linear, nn.Conv1d)):
            decay += [m.weight]
            no_decay += [m.bias]
        elif isinstance(m, nn.LayerNorm):
            no_decay += list(m.parameters())
    return [
        {"params": decay, "weight_decay": weight_decay},
        {"params": no_decay, "weight_decay": 0.0},
    ]


def run():
    torch.manual_seed(6)
    train = DataLoader(TensorDataset(*recordings(2000)), batch_size=40, shuffle=True)
    x_test, y_test = recordings(800)
    model = StateLSTM()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=6e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(8):
        total = 0.0
        for x, y in train:
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1} mean loss {total / len(train):.4f}")
    with torch.no_grad():
        return (model(x_test).argmax(1) == y_test).float().mean().item()


print(f"metric: {run():.4f}")
