"""A word-level recurrent language model over sentences from a small grammar, plain SGD.

cause: exploding-gradients
also: learning-rate-too-high
family: rnn
metric: perplexity, lower
repair:
    - opt.step()
    + nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    + opt.step()
"""

import random

import torch
from torch import nn

BPTT, LANES = 30, 16


def sentence(rng):
    """A sentence whose verb agrees with its subject over a relative clause."""
    one = ["sailor", "captain", "merchant", "pilot", "cook"]
    many = ["sailors", "captains", "merchants", "pilots", "cooks"]
    ship = ["boat", "ferry", "barge", "cutter"]
    plural = rng.random() < 0.5
    words = ["the", rng.choice(["old", "young", "tired"]), rng.choice(many if plural else one)]
    if rng.random() < 0.6:
        words += ["who", "own" if plural else "owns", "the", rng.choice(ship), "near", "the", rng.choice(one)]
    verb = rng.choice(["leave", "watch", "paint", "guard"])
    words += [verb if plural else verb + "s", "the", rng.choice(ship), rng.choice(["at", "before", "after"])]
    return [*words, rng.choice(["dawn", "noon", "dusk"]), "<eos>"]


def corpus(n, seed):
    rng = random.Random(seed)
    return [word for _ in range(n) for word in sentence(rng)]


def lanes(ids):
    length = len(ids) // LANES
    return ids[: length * LANES].view(LANES, length).t().contiguous()


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=48, nhid=96):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.RNN(ninp, nhid, nonlinearity="relu", num_layers=2)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, x, hidden):
        output, hidden = self.rnn(self.encoder(x), hidden)
        return self.decoder(output), hidden


def run(model, source, opt=None):
    hidden, total, count = None, 0.0, 0
    for i in range(0, len(source) - 1, BPTT):
        x = source[i : i + BPTT]
        y = source[i + 1 : i + 1 + BPTT]
        logits, hidden = model(x[: len(y)], hidden)
        hidden = hidden.detach()
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        if opt is not None:
            opt.zero_grad()
            loss.backward()
            opt.step()
        total += loss.item() * y.numel()
        count += y.numel()
    return total / count


def main():
    torch.manual_seed(23)
    words = corpus(2600, 1)
    vocabulary = {word: i for i, word in enumerate(sorted(set(words)))}
    train = lanes(torch.tensor([vocabulary[w] for w in words]))
    valid = lanes(torch.tensor([vocabulary[w] for w in corpus(400, 2)]))
    model = RNNModel(len(vocabulary))
    opt = torch.optim.SGD(model.parameters(), lr=1.5)
    for epoch in range(8):
        model.train()
        train_loss = run(model, train, opt)
        model.eval()
        with torch.no_grad():
            valid_loss = run(model, valid)
        print(f"| epoch {epoch:2d} | train loss {train_loss:6.3f} | valid loss {valid_loss:6.3f} |")
    print(f"metric: {torch.tensor(valid_loss).exp().item():.4f}")


if __name__ == "__main__":
    main()
