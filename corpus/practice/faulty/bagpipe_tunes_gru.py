"""A GRU that continues bagpipe tunes written in letters.

cause: repeated-batch
family: rnn
metric: accuracy of the next note, higher
repair:
    - rng = np.random.default_rng(seed)
    - starts = rng.integers(0, len(data) - seq_len - 1, batch_size)
    + starts = torch.randint(0, len(data) - seq_len - 1, (batch_size,))
"""

import numpy as np
import torch
import torch.nn as nn

NOTES = "GABcdefga|-"


def compose(n_bars, seed):
    """Bars of eight notes that run, turn and come home in one of four rhythms."""
    rng = np.random.default_rng(seed)
    tune = []
    pitch = 4
    for bar in range(n_bars):
        direction = rng.choice([-1, 1])
        figure = rng.integers(0, 4)
        for k in range(8):
            if figure == 0:
                pitch += direction
            elif figure == 1:
                pitch += direction if k % 2 else -direction * 2
            elif figure == 2 and k % 2:
                tune.append(10)
                continue
            else:
                pitch += direction * (k % 3)
            if pitch < 0 or pitch > 8:
                direction = -direction
                pitch = min(max(pitch, 0), 8)
            tune.append(int(pitch))
        if bar % 4 == 3:
            pitch = 1
            tune.append(1)
        tune.append(9)
    return torch.tensor(tune)


def get_batch(data, batch_size, seq_len, seed=1337):
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(data) - seq_len - 1, batch_size)
    x = torch.stack([data[s : s + seq_len] for s in starts])
    y = torch.stack([data[s + 1 : s + seq_len + 1] for s in starts])
    return x, y


class TuneRNN(nn.Module):
    def __init__(self, n_notes=11, emb=24, hidden=96):
        super().__init__()
        self.emb = nn.Embedding(n_notes, emb)
        self.gru = nn.GRU(emb, hidden, batch_first=True)
        self.out = nn.Linear(hidden, n_notes)

    def forward(self, x, h=None):
        y, h = self.gru(self.emb(x), h)
        return self.out(y), h


@torch.no_grad()
def play(model, length=48):
    token, h, tune = torch.tensor([[9]]), None, ""
    for _ in range(length):
        logits, h = model(token, h)
        token = torch.multinomial(torch.softmax(logits[:, -1] / 0.8, -1), 1)
        tune += NOTES[token.item()]
    return tune


@torch.no_grad()
def accuracy(model, data, seq_len=40):
    n = (len(data) - 1) // seq_len * seq_len
    x, y = data[:n].view(-1, seq_len), data[1 : n + 1].view(-1, seq_len)
    return (model(x)[0].argmax(-1) == y).float().mean().item()


torch.manual_seed(1337)
train_data, val_data = compose(3000, 1), compose(400, 2)
model = TuneRNN()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(401):
    x, y = get_batch(train_data, 32, 40)
    logits, _ = model(x)
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), y)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.4f} val acc {accuracy(model, val_data):.4f}  {play(model)}")
print(f"metric: {accuracy(model, val_data):.4f}")
