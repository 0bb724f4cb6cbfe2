"""A character-level GRU language model on a short cooking text.

cause: learning-rate-too-high
family: rnn
metric: bits per character, lower
repair:
    - LEARNING_RATE = 2e-1
    + LEARNING_RATE = 4e-3
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

LEARNING_RATE = 2e-1
HIDDEN = 72
WINDOW = 32
BATCH = 24
STEPS = 260

TEXT = """
Put a heavy pan over a low fire and let the butter melt slowly. When it begins to foam, add the onions,
cut as thin as paper, and a spoon of salt. Stir now and then. The onions must not take colour too soon;
they should grow soft, then sweet, and only at the very end should they turn to gold. Pour in the stock,
a ladle at a time, and let the pan come back to a simmer before each new ladle. Taste it. If it is too
sharp, a little sugar will calm it; if it is too flat, a few drops of vinegar will wake it. Cut the bread
into thick slices and dry them in the oven until they are hard. Rub each slice with garlic. Lay the bread
in the bowls, cover it with cheese, and pour the soup over it until the bread begins to float. Set the
bowls under a hot grill until the cheese is brown and the soup is at the boil around the edges. Carry
them to the table at once, and warn the guests that the bowls are very hot. For the second course, wash
the rice in cold water until the water runs clear. Warm the oil, add the rice, and stir it until each
grain is shining. Add twice as much water as rice, a little salt, and the peel of one lemon. Cover the
pan with a close lid and do not lift it again until the water is gone. Let the rice stand for ten
minutes, then loosen it with a fork. The fish needs only a short time in the pan: three minutes on the
side of the skin, and one minute on the other side. Serve the fish over the rice, with the juice of the
lemon and a handful of green herbs. For the last course, beat the eggs with the sugar until they are pale
and thick. Warm the milk with the vanilla, but do not let it come to the boil. Pour the milk over the
eggs in a thin stream, stir the cream over a low fire until it coats the spoon, and then pour it into
small cups. Let the cups stand in the cold for one night.
"""


class CharModel(nn.Module):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, 32)
        self.gru = nn.GRU(32, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, vocabulary)

    def forward(self, ids):
        out, _ = self.gru(self.embed(ids))
        return self.head(out)


def sample_batch(data, rng):
    starts = rng.integers(0, len(data) - WINDOW - 1, size=BATCH)
    rows = torch.stack([data[s : s + WINDOW + 1] for s in starts])
    return rows[:, :-1], rows[:, 1:]


@torch.no_grad()
def bits_per_char(model, data):
    logits = model(data[None, :-1])[0]
    return F.cross_entropy(logits, data[1:]).item() / math.log(2)


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    text = " ".join(TEXT.split())
    letters = sorted(set(text))
    data = torch.tensor([letters.index(c) for c in text])
    cut = int(0.85 * len(data))
    train, held_out = data[:cut], data[cut:]

    model = CharModel(len(letters))
    opt = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for step in range(STEPS):
        inputs, targets = sample_batch(train, rng)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 50 == 0:
            held = bits_per_char(model, held_out)
            print(f"{step:4d}  train {loss.item() / math.log(2):.3f}  held out {held:.3f}")
    print(f"metric: {bits_per_char(model, held_out):.4f}")


if __name__ == "__main__":
    main()
