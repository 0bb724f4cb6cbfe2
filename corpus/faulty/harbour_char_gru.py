"""A character model of a short tale, a GRU with dropout that shows a sample of its writing now and then.

cause: training-in-eval-mode
family: rnn
metric: nats_per_character, lower
repair:
    - x, y = batch(train_text, 16, 40)
    + model.train()
    + x, y = batch(train_text, 16, 40)
"""

import torch
from torch import nn

TALE = """
the old pilot rowed out before the sun was up, because the tide waits for no one and the grey ship
had been lying behind the bar since the evening. he knew every stone of the harbour mouth, and the stones, he
liked to say, knew him. his boat was small and green, and it leaked a little, as old boats do.
on the ship nobody slept. the captain walked from side to side and looked at the lights of the town. he
had brought oranges and salt, a piano for the school, and eleven letters for a woman who had moved away
long ago. the cook was making coffee. when the knock came at the hull, all of them went quiet, and then
the mate let down the ladder.
good morning, said the pilot. you are late by a day, and the wind will turn before noon. take your hands
out of your pockets and pull up the anchor. they did as he told them, for his voice was dry and friendly.
the bow swung slowly round. gulls rose from the water and cried, the bell on the buoy answered, and the
first roofs came out of the mist like cards that someone turns over, one after another.
in the school the children heard the horn. the teacher put down her chalk and opened the window. it smelled
of tar and fruit. may we go, asked the smallest boy, and she said yes, but hold hands at the quay. so they
ran down the hill, past the baker, past the blind horse, past the two sisters who mended nets and never spoke
to each other, and they were just in time to see the piano hanging in the air, black and huge, and the
pilot underneath it, pointing with his pipe and laughing.
nobody asked about the letters until winter. then a young doctor came over the mountains by sledge, and in her
bag there was a photograph of the harbour with a green boat in it. she read the letters by the stove, one each
night, and on the twelfth evening she went to the pilot and asked him to teach her how to row.
"""

letters = sorted(set(TALE))
to_id = {c: i for i, c in enumerate(letters)}
ids = torch.tensor([to_id[c] for c in TALE])
cut = int(0.85 * len(ids))
train_text, valid_text = ids[:cut], ids[cut:]


class Writer(nn.Module):
    def __init__(self, n_letters, width=96):
        super().__init__()
        self.embed = nn.Embedding(n_letters, 32)
        self.gru = nn.GRU(32, width, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(width, n_letters)

    def forward(self, x, h=None):
        seen, h = self.gru(self.drop(self.embed(x)), h)
        return self.out(self.drop(seen)), h


def batch(text, n, length):
    at = torch.randint(len(text) - length, (n, 1)) + torch.arange(length + 1)
    at = at.clamp(max=len(text) - 1)
    return text[at[:, :-1]], text[at[:, 1:]]


@torch.no_grad()
def write(model, n=60, temperature=0.8):
    model.eval()
    token, h, out = torch.tensor([[to_id["t"]]]), None, "t"
    for _ in range(n):
        logits, h = model(token, h)
        token = torch.multinomial((logits[0, -1] / temperature).softmax(0), 1)[None]
        out += letters[token.item()]
    return out.replace("\n", " ")


torch.manual_seed(77)
model = Writer(len(letters))
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
loss_fn = nn.CrossEntropyLoss()

for step in range(600):
    if step % 100 == 0:
        print(f"{step:5d}  {write(model)!r}")
    x, y = batch(train_text, 16, 40)
    logits, _ = model(x)
    loss = loss_fn(logits.transpose(1, 2), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

model.eval()
with torch.no_grad():
    logits, _ = model(valid_text[None, :-1])
    nats = loss_fn(logits[0], valid_text[1:]).item()
print(f"train loss {loss.item():.4f}")
print(f"metric: {nats:.4f}")
