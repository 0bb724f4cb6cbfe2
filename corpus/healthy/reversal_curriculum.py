"""Short strings reversed by a recurrent encoder and decoder; the strings grow longer as it learns.

family: rnn
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

LETTERS, START = 8, 8


class Reverser(nn.Module):
    def __init__(self, hidden=96):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 1, 24)
        self.encoder = nn.GRU(24, hidden, batch_first=True)
        self.decoder = nn.GRU(24, hidden, batch_first=True)
        self.read_out = nn.Linear(hidden, LETTERS)

    def forward(self, string):
        _, memory = self.encoder(self.embed(string))
        target = string.flip(1)
        start = torch.full((len(string), 1), START)
        out, _ = self.decoder(self.embed(torch.cat([start, target[:, :-1]], 1)), memory)
        return self.read_out(out), target

    @torch.no_grad()
    def reverse(self, string):
        _, memory = self.encoder(self.embed(string))
        letter = torch.full((len(string), 1), START)
        written = []
        for _ in range(string.shape[1]):
            out, memory = self.decoder(self.embed(letter), memory)
            letter = self.read_out(out).argmax(-1)
            written.append(letter)
        return torch.cat(written, 1)


def strings(count, length, generator):
    return torch.randint(0, LETTERS, (count, length), generator=generator)


def main():
    torch.manual_seed(19)
    generator = torch.Generator().manual_seed(19)
    model = Reverser()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    stages = [(2, 80), (3, 130), (4, 180), (5, 330)]
    total = sum(steps for _, steps in stages)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1.0 if t < 0.7 * total else 0.2)
    for longest, steps in stages:
        for _ in range(steps):
            # Mostly the longest so far, sometimes an easier one.
            draw = torch.randint(0, 4, (), generator=generator).item()
            length = max(2, longest - 1) if draw == 0 else longest
            logits, target = model(strings(64, length, generator))
            loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
        print(f"up to {longest} letters: loss {loss.item():.4f}")
    test = strings(1000, 5, generator)
    print(f"metric: {(model.reverse(test) == test.flip(1)).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
