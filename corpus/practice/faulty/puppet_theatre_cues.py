"""When the puppeteer must pull which string: cues from the music of a puppet theatre, with a recurrent cell.

cause: evaluating-in-train-mode
begins: 31
family: rnn
metric: accuracy, higher
repair:
    - h = self.cell(F.dropout(music[:, t], 0.2), h)
    + h = self.cell(F.dropout(music[:, t], 0.2, self.training), h)
    - pulls.append(self.pull(F.dropout(h, 0.5)))
    + pulls.append(self.pull(F.dropout(h, 0.5, self.training)))
"""

import torch
import torch.nn.functional as F
from torch import nn

STRINGS, CHANNELS, LENGTH = 7, 8, 20


def evenings(n, seed):
    """A string is pulled by the melody two beats ago and by which puppet is on stage."""
    rules = torch.Generator().manual_seed(123)
    voice = torch.randn(5, CHANNELS, generator=rules)
    plan = torch.randint(STRINGS, (3, 5, 5), generator=rules)
    g = torch.Generator().manual_seed(seed)
    note = torch.randint(5, (n, LENGTH), generator=g)
    stage = torch.randint(3, (n,), generator=g)
    cue = torch.zeros(n, LENGTH, dtype=torch.long)
    for t in range(2, LENGTH):
        cue[:, t] = plan[stage, note[:, t], note[:, t - 2]]
    music = voice[note] + 0.3 * torch.randn(n, LENGTH, CHANNELS, generator=g)
    music = torch.cat([music, F.one_hot(stage, 3)[:, None].expand(n, LENGTH, 3).float()], 2)
    return music, cue


class Puppeteer(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.hidden = hidden
        self.cell = nn.GRUCell(CHANNELS + 3, hidden)
        self.pull = nn.Linear(hidden, STRINGS)

    def forward(self, music):
        h = music.new_zeros(len(music), self.hidden)
        pulls = []
        for t in range(music.shape[1]):
            h = self.cell(F.dropout(music[:, t], 0.2), h)
            pulls.append(self.pull(F.dropout(h, 0.5)))
        return torch.stack(pulls, 1)


def run_epoch(model, music, cue, optimizer):
    model.train()
    for rows in torch.randperm(len(music)).split(40):
        optimizer.zero_grad()
        pulls = model(music[rows])
        loss = F.cross_entropy(pulls[:, 2:].flatten(0, 1), cue[rows, 2:].flatten())
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
    return loss.item()


def rehearse(model, music, cue):
    model.eval()
    with torch.no_grad():
        pulls = model(music)
    return (pulls[:, 2:].argmax(-1) == cue[:, 2:]).float().mean().item()


torch.manual_seed(58)
music, cue = evenings(1200, 580)
test_music, test_cue = evenings(400, 581)
model = Puppeteer()
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
for epoch in range(11):
    loss = run_epoch(model, music, cue, optimizer)
    right = rehearse(model, test_music, test_cue)
    print(f"evening {epoch + 1:2d}: loss {loss:.4f}, right {right:.4f}")
print(f"metric: {right:.4f}")
