"""Noisy Morse tapping to letters by a convolution, a GRU and connectionist temporal classification.

family: rnn
metric: letter error rate, lower
"""

import random

import torch
from torch import nn

torch.manual_seed(0)
random.seed(0)
CODE = {"e": ".", "t": "-", "a": ".-", "n": "-.", "i": "..", "m": "--", "s": "...", "o": "---"}
LETTERS = "".join(CODE)


def tap(word):
    signal = [0.0] * random.randint(2, 4)
    for letter in word:
        for mark in CODE[letter]:
            signal += [1.0] * ((2 if mark == "." else 5) + random.randint(0, 1)) + [0.0] * 2
        signal += [0.0] * random.randint(4, 5)
    return torch.tensor(signal) + 0.2 * torch.randn(len(signal))


def batch(n):
    words = ["".join(random.choices(LETTERS, k=random.randint(1, 4))) for _ in range(n)]
    taps = [tap(w) for w in words]
    lengths = torch.tensor([len(s) for s in taps])
    x = nn.utils.rnn.pad_sequence(taps, batch_first=True)
    goal = torch.tensor([LETTERS.index(c) + 1 for w in words for c in w])
    return words, x, (lengths + 1) // 2, goal, torch.tensor([len(w) for w in words])


class Listener(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.conv = nn.Conv1d(1, 32, 5, stride=2, padding=2)
        self.gru = nn.GRU(32, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, len(LETTERS) + 1)

    def forward(self, x):
        h = torch.relu(self.conv(x[:, None])).transpose(1, 2)
        return self.out(self.gru(h)[0]).log_softmax(-1)


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, p in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, q in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (p != q))
    return row[-1]


def errors(model):
    words, x, lengths, _, _ = batch(200)
    with torch.no_grad():
        best = model(x).argmax(-1)
    wrong = 0
    for word, path, length in zip(words, best.tolist(), lengths.tolist(), strict=True):
        path = path[:length]
        said = [k for k, before in zip(path, [0, *path], strict=False) if k and k != before]
        wrong += distance(word, "".join(LETTERS[k - 1] for k in said))
    return wrong / sum(map(len, words))


model = Listener()
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
for step in range(300):
    _, x, x_len, goal, goal_len = batch(32)
    loss = nn.functional.ctc_loss(model(x).transpose(0, 1), goal, x_len, goal_len)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 3.0)
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3d}  ctc {loss.item():.3f}  wrong {errors(model):.3f}")
print("metric:", errors(model))
