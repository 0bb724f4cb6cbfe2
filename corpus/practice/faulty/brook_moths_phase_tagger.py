"""What a moth does in every second of a track (rest, climb, glide ...), tagged by a bidirectional GRU.

cause: softmax-before-cross-entropy
family: rnn
metric: balanced accuracy, higher
repair:
    - return self.tags(states.transpose(1, 2)).softmax(dim=1)
    + return self.tags(states.transpose(1, 2))
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

PHASES = 8
IGNORED = -100
SPEED = np.array([0.0, 1.4, 0.9, 1.8, 0.5, 2.2, 0.9, 1.4])
TURN = np.array([0.0, 0.0, 0.6, -0.6, 1.2, 0.2, -1.2, 0.9])
CLIMB = np.array([0.0, 0.8, -0.3, 0.0, 0.3, -1.0, 0.6, -0.6])
STAY = np.array([12, 6, 5, 6, 4, 4, 4, 4])


def track(rng):
    length, phases = rng.integers(30, 60), []
    phase = 0
    while len(phases) < length:
        phases += [phase] * (1 + rng.poisson(STAY[phase]))
        phase = rng.choice(PHASES, p=[0.3, 0.18, 0.14, 0.14, 0.06, 0.06, 0.06, 0.06])
    phases = np.array(phases[:length])
    seen = np.stack([SPEED[phases], TURN[phases], CLIMB[phases]], 1)
    seen = seen + rng.normal(0, 0.45, seen.shape)
    return torch.tensor(seen, dtype=torch.float32), torch.from_numpy(phases)


def collate(tracks):
    seen, phases = zip(*tracks, strict=True)
    lengths = torch.tensor([len(s) for s in seen])
    return (
        pad_sequence(seen, batch_first=True),
        lengths,
        pad_sequence(phases, batch_first=True, padding_value=IGNORED),
    )


class PhaseTagger(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True, bidirectional=True)
        self.tags = nn.Conv1d(2 * hidden, PHASES, kernel_size=1)

    def forward(self, seen, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(seen, lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return self.tags(states.transpose(1, 2)).softmax(dim=1)


@torch.no_grad()
def score(tagger, loader):
    tagger.eval()
    truth, guess = [], []
    for seen, lengths, phases in loader:
        mask = phases != IGNORED
        truth.append(phases[mask])
        guess.append(tagger(seen, lengths).argmax(1)[mask])
    return balanced_accuracy_score(torch.cat(truth), torch.cat(guess))


if __name__ == "__main__":
    torch.manual_seed(40)
    rng = np.random.default_rng(40)
    train = DataLoader([track(rng) for _ in range(340)], batch_size=16, shuffle=True, collate_fn=collate)
    test = DataLoader([track(rng) for _ in range(160)], batch_size=80, collate_fn=collate)

    counts = torch.bincount(torch.cat([phases for _, phases in train.dataset]), minlength=PHASES)
    weight = (counts.sum() / counts.clamp(min=1)) ** 0.5
    criterion = nn.CrossEntropyLoss(weight=weight, ignore_index=IGNORED, label_smoothing=0.05)
    tagger = PhaseTagger()
    optimizer = torch.optim.RMSprop(tagger.parameters(), lr=1e-3)
    for epoch in range(6):
        tagger.train()
        total = 0.0
        for seen, lengths, phases in train:
            optimizer.zero_grad()
            loss = criterion(tagger(seen, lengths), phases)
            loss.backward()
            nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(train):.4f}, balanced {score(tagger, test):.4f}")
    print(f"metric: {score(tagger, test):.4f}")
