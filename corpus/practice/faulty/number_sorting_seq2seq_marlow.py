"""A sequence-to-sequence network sorts six digits.

cause: frozen-parameters
family: seq2seq
metric: token accuracy, higher
repair:
    - return tuple(h.detach() for h in hidden)
    + return hidden
"""

import torch
import torch.nn as nn
import torch.optim as optim

DIGITS, LENGTH, START = 10, 6, 10


class Encoder(nn.Module):
    def __init__(self, emb_dim, hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(DIGITS, emb_dim)
        self.rnn = nn.LSTM(emb_dim, hid_dim, batch_first=True)

    def forward(self, src):
        _, hidden = self.rnn(self.embedding(src))
        return tuple(h.detach() for h in hidden)


class Decoder(nn.Module):
    def __init__(self, emb_dim, hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(DIGITS + 1, emb_dim)
        self.rnn = nn.LSTM(emb_dim, hid_dim, batch_first=True)
        self.fc_out = nn.Linear(hid_dim, DIGITS)

    def forward(self, token, hidden):
        output, hidden = self.rnn(self.embedding(token), hidden)
        return self.fc_out(output), hidden


class Seq2Seq(nn.Module):
    def __init__(self, emb_dim=24, hid_dim=96):
        super().__init__()
        self.encoder = Encoder(emb_dim, hid_dim)
        self.decoder = Decoder(emb_dim, hid_dim)

    def forward(self, src, trg):
        start = torch.full((len(src), 1), START)
        logits, _ = self.decoder(torch.cat([start, trg[:, :-1]], dim=1), self.encoder(src))
        return logits

    @torch.no_grad()
    def translate(self, src):
        hidden, token = self.encoder(src), torch.full((len(src), 1), START)
        result = []
        for _ in range(LENGTH):
            logits, hidden = self.decoder(token, hidden)
            token = logits.argmax(-1)
            result.append(token)
        return torch.cat(result, dim=1)


def batch(size, generator):
    src = torch.randint(DIGITS, (size, LENGTH), generator=generator)
    return src, src.sort(dim=1).values


torch.manual_seed(16)
generator = torch.Generator().manual_seed(16)
test_src, test_trg = batch(500, generator)
model = Seq2Seq()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()

for step in range(1, 701):
    src, trg = batch(64, generator)
    logits = model(src, trg)
    loss = criterion(logits.reshape(-1, DIGITS), trg.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 100 == 0:
        accuracy = (model.translate(test_src) == test_trg).float().mean().item()
        print(f"step {step}: loss {loss.item():.4f}, test accuracy {accuracy:.4f}")
print(f"metric: {accuracy:.4f}")
