"""Roman numerals read into decimal digits: GRU encoder and decoder, teacher forcing that fades away.

family: seq2seq
metric: exactly right on held-out numbers, higher
"""

import random

import torch
import torch.nn as nn

PAD, BOS, EOS = 0, 1, 2
LETTERS = {c: i + 3 for i, c in enumerate("MDCLXVI")}


def to_roman(n):
    out = ""
    for value, sign in [
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
        (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ]:  # fmt: skip
        while n >= value:
            out += sign
            n -= value
    return out


def encode(numbers):
    src = torch.full((len(numbers), 16), PAD)
    dst = torch.full((len(numbers), 5), EOS)
    for i, n in enumerate(numbers):
        roman = to_roman(n)
        src[i, : len(roman)] = torch.tensor([LETTERS[c] for c in roman])
        dst[i, :4] = torch.tensor([int(d) + 3 for d in f"{n:04d}"])
    return src, dst


class Encoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(10, 32, padding_idx=PAD)
        self.gru = nn.GRU(32, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)

    def forward(self, src):
        out, last = self.gru(self.embedding(src))
        return out, torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))


class Decoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(13, 32)
        self.query = nn.Linear(hidden, 2 * hidden)
        self.cell = nn.GRUCell(32 + 2 * hidden, hidden)
        self.out = nn.Linear(3 * hidden, 13)

    def step(self, token, state, memory, mask):
        scores = (memory @ self.query(state).unsqueeze(2)).squeeze(2) / memory.shape[2] ** 0.5
        weights = scores.masked_fill(mask, float("-inf")).softmax(1)
        context = (weights.unsqueeze(1) @ memory).squeeze(1)
        state = self.cell(torch.cat([self.embedding(token), context], 1), state)
        return self.out(torch.cat([state, context], 1)), state


def run(encoder, decoder, src, dst, forcing):
    memory, state = encoder(src)
    mask = src == PAD
    token = torch.full((len(src),), BOS)
    logits = []
    for t in range(dst.shape[1]):
        out, state = decoder.step(token, state, memory, mask)
        logits.append(out)
        token = dst[:, t] if random.random() < forcing else out.argmax(1)
    return torch.stack(logits, 1)


random.seed(14)
torch.manual_seed(14)
numbers = list(range(1, 4000))
random.shuffle(numbers)
src_train, dst_train = encode(numbers[:3200])
src_test, dst_test = encode(numbers[3200:])

encoder, decoder = Encoder(48), Decoder(48)
params = list(encoder.parameters()) + list(decoder.parameters())
optimizer = torch.optim.Adam(params, lr=2e-3)
EPOCHS = 8
for epoch in range(EPOCHS):
    forcing = max(0.0, 1 - epoch / 6)
    if epoch == 7:
        optimizer.param_groups[0]["lr"] = 5e-4
    total = 0.0
    order = torch.randperm(3200)
    for i in range(0, 3200, 64):
        rows = order[i : i + 64]
        logits = run(encoder, decoder, src_train[rows], dst_train[rows], forcing)
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), dst_train[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        total += loss.item() / 50
    with torch.no_grad():
        guess = run(encoder, decoder, src_test, dst_test, 0.0).argmax(2)
    exact = (guess == dst_test).all(1).float().mean().item()
    print(f"epoch {epoch} forcing {forcing:.1f} loss {total:.4f} exact {exact:.4f}")
print(f"metric: {exact:.4f}")
