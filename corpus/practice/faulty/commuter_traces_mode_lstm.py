"""An LSTM that reads the speeds of a trip and names the means of transport.

cause: labels-misaligned
family: rnn
metric: accuracy, higher
repair:
    - hidden = torch.cat([h[-2], h[-1]], dim=1)
    + hidden = torch.cat([h[-2], h[-1]], dim=1)[order.argsort()]
"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

MODES = ["walk", "bicycle", "bus", "car", "train"]


def trip(mode):
    """Speed in m/s every ten seconds, with stops as they are typical."""
    length = random.randint(15, 45)
    top = {0: 1.4, 1: 4.5, 2: 9.0, 3: 12.0, 4: 22.0}[mode] * random.uniform(0.6, 1.3)
    stop_every = {0: 20, 1: 14, 2: 6, 3: 9, 4: 16}[mode]
    speeds, v, stopped = [], 0.0, 0
    for t in range(length):
        if stopped:
            stopped -= 1
            target = 0.0
        else:
            target = top
            if t % stop_every == stop_every - 1:
                stopped = random.randint(1, 2)
        v += 0.5 * (target - v)
        speeds.append([max(0.0, v + random.gauss(0, 0.08 * top)), random.gauss(0, 0.3)])
    return torch.tensor(speeds), mode


def collate(batch):
    seqs, modes = zip(*batch, strict=True)
    lengths = torch.tensor([len(s) for s in seqs])
    return pad_sequence(seqs, batch_first=True), lengths, torch.tensor(modes)


class TripLSTM(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.inp = nn.Linear(2, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * hidden, len(MODES)))

    def forward(self, x, lengths):
        # packing wants the sequences sorted by length
        lengths, order = lengths.sort(descending=True)
        x = torch.relu(self.inp(x[order] / 10.0))
        packed = pack_padded_sequence(x, lengths, batch_first=True)
        _, (h, _) = self.lstm(packed)
        hidden = torch.cat([h[-2], h[-1]], dim=1)
        return self.out(hidden)


def predict(model, speeds):
    model.eval()
    with torch.no_grad():
        return model(speeds[None], torch.tensor([len(speeds)])).argmax(1).item()


random.seed(99)
torch.manual_seed(99)
trips = [trip(random.randrange(5)) for _ in range(1600)]
train, test = trips[:1280], trips[1280:]
loader = DataLoader(train, batch_size=32, shuffle=True, collate_fn=collate)
model = TripLSTM()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

for epoch in range(7):
    model.train()
    epoch_loss = 0.0
    for x, lengths, modes in loader:
        optimizer.zero_grad()
        loss = criterion(model(x, lengths), modes)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch + 1}: {epoch_loss / len(loader):.4f}")

correct = sum(predict(model, speeds) == mode for speeds, mode in test)
print(f"metric: {correct / len(test):.4f}")
