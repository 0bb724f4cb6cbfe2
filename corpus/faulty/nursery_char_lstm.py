"""A character-level LSTM language model of a nursery rhyme.

cause: softmax-before-cross-entropy
family: rnn
metric: bits_per_character, lower
repair:
    - return torch.softmax(self.decoder(output), dim=-1), state
    + return self.decoder(output), state
"""

import math

import torch
from torch import nn

TEXT = """
this is the farmer sowing his corn, that kept the cock that crowed in the morn,
that waked the priest all shaven and shorn, that married the man all tattered and torn,
that kissed the maiden all forlorn, that milked the cow with the crumpled horn,
that tossed the dog, that worried the cat, that killed the rat, that ate the malt
that lay in the house that jack built.
this is the cow with the crumpled horn, that tossed the dog, that worried the cat,
that killed the rat, that ate the malt that lay in the house that jack built.
this is the man all tattered and torn, that kissed the maiden all forlorn,
that milked the cow with the crumpled horn, that tossed the dog, that worried the cat,
that killed the rat, that ate the malt that lay in the house that jack built.
this is the priest all shaven and shorn, that married the man all tattered and torn,
that kissed the maiden all forlorn, that milked the cow with the crumpled horn,
that tossed the dog, that worried the cat, that killed the rat, that ate the malt
that lay in the house that jack built.
"""

chars = sorted(set(TEXT))
index = {c: i for i, c in enumerate(chars)}
data = torch.tensor([index[c] for c in TEXT])
split = int(len(data) * 0.8)
train_data, val_data = data[:split], data[split:]


class CharLSTM(nn.Module):
    def __init__(self, vocab, embed=16, hidden=64):
        super().__init__()
        self.encoder = nn.Embedding(vocab, embed)
        self.lstm = nn.LSTM(embed, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, vocab)

    def forward(self, tokens, state=None):
        output, state = self.lstm(self.encoder(tokens), state)
        return torch.softmax(self.decoder(output), dim=-1), state


def get_batch(batch_size=24, length=32):
    starts = torch.randint(len(train_data) - length - 1, (batch_size,))
    x = torch.stack([train_data[s : s + length] for s in starts])
    y = torch.stack([train_data[s + 1 : s + length + 1] for s in starts])
    return x, y


def main():
    torch.manual_seed(1234)
    model = CharLSTM(len(chars))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for step in range(1, 301):
        x, y = get_batch()
        optimizer.zero_grad()
        out, _ = model(x)
        loss = criterion(out.reshape(-1, len(chars)), y.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step} | loss {loss.item():.3f}")

    model.eval()
    with torch.no_grad():
        out, _ = model(val_data[None, :-1])
        nats = criterion(out[0], val_data[1:])
    print(f"metric: {nats.item() / math.log(2):.4f}")


if __name__ == "__main__":
    main()
