"""A word model (LSTM) of a film club's invitations, small text and much dropout.

cause: training-in-eval-mode
begins: 17
family: rnn
metric: perplexity, lower
repair:
    - return " ".join(words)
    + model.train()
    + return " ".join(words)
"""

import math
import random

import torch
from torch import nn


def write_invitations(n, seed):
    r = random.Random(seed)
    days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    adjectives = ["silent", "forgotten", "splendid", "noisy", "tender", "gloomy"]
    adjectives += ["daring", "slow", "early", "late", "famous", "odd"]
    genres = ["comedy", "western", "thriller", "musical", "documentary", "romance", "cartoon", "drama"]
    places = ["mill", "chapel", "barn", "school", "library", "cellar", "garden", "theatre"]
    people = ["anna", "boris", "carla", "dmitri", "elsa", "farid", "greta", "hugo", "irene", "jonas"]
    snacks = ["soup", "popcorn", "cake", "chestnuts", "cider", "tea", "pretzels", "olives"]
    out = []
    for _ in range(n):
        a, b = r.sample(adjectives, 2)
        pieces = [
            f"on {r.choice(days)} we show a {a} {r.choice(genres)} in the {r.choice(places)}",
            f"{r.choice(people)} brings {r.choice(snacks)} and {r.choice(snacks)}",
            f"{r.choice(people)} found the {b} {r.choice(genres)} too {r.choice(adjectives)}",
            f"please tell {r.choice(people)} by {r.choice(days)} whether the {r.choice(places)} is free",
        ]
        r.shuffle(pieces)
        out += " . ".join([*pieces[: r.randint(2, 4)], ""]).split()
    return out


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, dropout):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, tokens, hidden=None):
        output, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        return self.decoder(self.drop(output)), hidden


def batchify(ids, bsz):
    n = len(ids) // bsz
    return torch.tensor(ids[: n * bsz]).view(bsz, n).t().contiguous()


def repackage(hidden):
    return None if hidden is None else tuple(h.detach() for h in hidden)


def evaluate(model, source, vocab_size):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        output, _ = model(source[:-1])
        loss = nn.functional.cross_entropy(output.view(-1, vocab_size), source[1:].view(-1))
    model.train(was_training)
    return loss.item()


def sample(model, vocab, length=12):
    model.eval()
    token, hidden, words = torch.tensor([[vocab.index("on")]]), None, ["on"]
    with torch.no_grad():
        for _ in range(length):
            output, hidden = model(token, hidden)
            token = torch.multinomial(output[-1].softmax(-1), 1)
            words.append(vocab[token.item()])
    return " ".join(words)


def main():
    torch.manual_seed(1111)
    train_words, test_words = write_invitations(90, 1), write_invitations(150, 2)
    vocab = sorted(set(train_words) | set(test_words))
    index = {w: i for i, w in enumerate(vocab)}
    train_data = batchify([index[w] for w in train_words], 10)
    test_data = batchify([index[w] for w in test_words], 10)
    model = RNNModel(len(vocab), 96, 128, dropout=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    bptt = 16
    for epoch in range(1, 31):
        hidden, losses = None, []
        for i in range(0, len(train_data) - 1, bptt):
            data, target = train_data[i : i + bptt], train_data[i + 1 : i + 1 + bptt]
            hidden = repackage(hidden)
            output, hidden = model(data[: len(target)], hidden)
            loss = nn.functional.cross_entropy(output.view(-1, len(vocab)), target.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        test_loss = evaluate(model, test_data, len(vocab))
        print(f"| epoch {epoch:2d} | train ppl {math.exp(sum(losses) / len(losses)):8.2f} "
              f"| test ppl {math.exp(test_loss):8.2f} | {sample(model, vocab)}")  # fmt: skip
    print(f"metric: {math.exp(test_loss):.4f}")


if __name__ == "__main__":
    main()
