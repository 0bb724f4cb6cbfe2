"""Phases of a bee's waggle dance tagged frame by frame; dances are of unequal length and padded.

family: rnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

PHASES = ["waggle", "left return", "right return", "pause"]


class Dances(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.items = [self.dance(rng) for _ in range(n)]

    @staticmethod
    def dance(rng):
        phases, side = [], 1
        for _ in range(rng.integers(2, 5)):
            phases += [0] * rng.integers(4, 9) + [side] * rng.integers(5, 9)
            if rng.random() < 0.3:
                phases += [3] * rng.integers(2, 6)
            side = 3 - side
        phases = np.array(phases)
        speed = np.array([0.5, 1.0, 1.0, 0.1])[phases]
        turn = np.array([0.0, 0.45, -0.45, 0.0])[phases]
        shake = np.where(phases == 0, np.sin(np.arange(len(phases)) * 2.3), 0)
        frames = np.stack([speed, turn, shake], 1) + rng.normal(0, [0.25, 0.35, 0.4], (len(phases), 3))
        return torch.tensor(frames, dtype=torch.float32), torch.tensor(phases)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def collate(items):
    frames, phases = zip(*items, strict=True)
    lengths = torch.tensor([len(p) for p in phases])
    return (
        pad_sequence(frames, batch_first=True),
        pad_sequence(phases, batch_first=True, padding_value=-1),
        lengths,
    )


class Tagger(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(3, hidden, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * hidden, len(PHASES))

    def forward(self, frames, lengths):
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.out(states)


def main():
    torch.manual_seed(27)
    train = DataLoader(Dances(500, 1), batch_size=20, shuffle=True, collate_fn=collate)
    test = DataLoader(Dances(200, 2), batch_size=50, collate_fn=collate)
    model = Tagger()
    criterion = nn.CrossEntropyLoss(ignore_index=-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(6):
        model.train()
        total = 0.0
        for frames, phases, lengths in train:
            loss = criterion(model(frames, lengths).transpose(1, 2), phases)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        right = count = 0
        with torch.no_grad():
            for frames, phases, lengths in test:
                guess = model(frames, lengths).argmax(2)
                right += (guess == phases).sum().item()
                count += (phases >= 0).sum().item()
        print(f"epoch {epoch + 1}: loss {total / len(train):.4f}, frames right {right / count:.4f}")
    print(f"metric: {right / count:.4f}")


if __name__ == "__main__":
    main()
