"""A character model of counting rhymes with a plain recurrent network.

cause: exploding-gradients
also: learning-rate-too-high
family: rnn
metric: bits per character, lower
repair:
    - loss.backward()
    + loss.backward()
    + nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

import math
import random

import torch
from torch import nn

random.seed(2)
torch.manual_seed(2)

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
THINGS = ["crows", "stones", "bells", "apples", "gates", "lambs", "ships", "candles"]
PLACES = ["on the hill", "by the mill", "in the well", "at the wall", "under the tree", "over the sea"]
ENDS = ["one flew away", "none could stay", "who will pay", "come and play"]


def rhyme():
    start = random.randrange(2, 10)
    thing, place = random.choice(THINGS), random.choice(PLACES)
    lines = [f"{NUMBERS[start - k]} {thing} {place},\n" for k in range(2)]
    return "".join(lines) + f"{random.choice(ENDS)}.\n\n"


text = "".join(rhyme() for _ in range(1200))
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
split = int(0.9 * len(data))
train_data, val_data = data[:split], data[split:]

BATCH, BPTT = 32, 80


def get_batch(source):
    starts = torch.randint(len(source) - BPTT - 1, (BATCH,))
    x = torch.stack([source[s : s + BPTT] for s in starts])
    y = torch.stack([source[s + 1 : s + BPTT + 1] for s in starts])
    return x, y


class CharRNN(nn.Module):
    def __init__(self, vocab, hidden=96):
        super().__init__()
        self.emb = nn.Embedding(vocab, 32)
        self.rnn = nn.RNN(32, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, vocab)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)

    def forward(self, x):
        y, _ = self.rnn(self.emb(x))
        return self.out(y)


model = CharRNN(len(chars))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
criterion = nn.CrossEntropyLoss()

for it in range(1, 451):
    x, y = get_batch(train_data)
    logits = model(x)
    loss = criterion(logits.reshape(-1, len(chars)), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 50 == 0:
        print(f"iteration {it}, loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    losses = []
    for _ in range(10):
        x, y = get_batch(val_data)
        losses.append(criterion(model(x).reshape(-1, len(chars)), y.reshape(-1)).item())
print(f"metric: {sum(losses) / len(losses) / math.log(2):.4f}")
