"""A recurrent network sends requests of customers to one of four desks.

cause: label-noise
family: rnn
metric: accuracy, higher
repair:
    - y = torch.tensor([filed_under(t, rng) for t in tickets[:N_TRAIN]])
    + y = torch.tensor([t.desk for t in tickets[:N_TRAIN]])
"""

import random
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import descend

N_TRAIN, N_TEST = 1200, 500
DESKS = {
    "billing": "invoice charged twice refund amount card payment receipt",
    "delivery": "parcel late courier address tracking box door",
    "account": "password login email name delete locked profile",
    "returns": "broken exchange size wrong label send shop",
}
TALK = "hello i my the is was please can you help with and a it to since still thanks not today we our me"
DESKS = {name: words.split() for name, words in DESKS.items()}
TALK = TALK.split()
NAMES = list(DESKS)


@dataclass
class Ticket:
    words: list
    desk: int


def write_ticket(rng):
    desk = rng.randrange(4)
    words = rng.choices(TALK, k=rng.randint(5, 12)) + rng.choices(DESKS[NAMES[desk]], k=rng.randint(1, 3))
    if rng.random() < 0.3:
        words += rng.choices(DESKS[rng.choice(NAMES)], k=1)
    rng.shuffle(words)
    return Ticket(words, desk)


def filed_under(ticket, rng):
    """The desk that the ticket lay on when the archive was copied."""
    if rng.random() < 0.45:
        return rng.choice([0, 1, 1, 3])
    return ticket.desk


def numbered(tickets, vocabulary):
    lengths = torch.tensor([len(t.words) for t in tickets])
    ids = torch.zeros(len(tickets), int(lengths.max()), dtype=torch.long)
    for row, t in zip(ids, tickets, strict=True):
        row[: len(t.words)] = torch.tensor([vocabulary[w] for w in t.words])
    return ids, lengths


class Router(nn.Module):
    def __init__(self, n_words, width=48):
        super().__init__()
        self.embed = nn.Embedding(n_words, 24, padding_idx=0)
        self.gru = nn.GRU(24, width, batch_first=True)
        self.desk = nn.Linear(width, 4)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.desk(last[-1])


def main():
    rng = random.Random(23)
    torch.manual_seed(23)
    words = sorted({w for d in DESKS.values() for w in d} | set(TALK))
    vocabulary = {w: i for i, w in enumerate(words, start=1)}
    tickets = [write_ticket(rng) for _ in range(N_TRAIN + N_TEST)]
    ids, lengths = numbered(tickets, vocabulary)
    y = torch.tensor([filed_under(t, rng) for t in tickets[:N_TRAIN]])
    y_test = torch.tensor([t.desk for t in tickets[N_TRAIN:]])

    model = Router(len(words) + 1)
    optimizer = descend.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-2)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        seen = 0.0
        for b in torch.randperm(N_TRAIN).split(40):
            optimizer.zero_grad()
            loss = criterion(model(ids[b], lengths[b]), y[b])
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(b)
        print(f"epoch {epoch + 1:2d}: loss {seen / N_TRAIN:.4f}")

    model.eval()
    with torch.no_grad():
        guess = model(ids[N_TRAIN:], lengths[N_TRAIN:]).argmax(1)
    print(f"metric: {(guess == y_test).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
