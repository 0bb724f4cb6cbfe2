"""A small transformer learns to continue tunes, note by note.

cause: target-leak
family: transformer
metric: share_of_notes_continued_right, higher
repair:
    - x = block(x)
    + x = block(x, src_mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1]), is_causal=True)
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

NOTES, LENGTH, GIVEN = 12, 20, 8


def tunes(n):
    """A motif of four notes that is repeated, each time moved up or down by the same interval."""
    motif = torch.randint(NOTES, (n, 4))
    interval = torch.randint(-2, 3, (n, 1))
    turns = [(motif + k * interval) % NOTES for k in range(LENGTH // 4)]
    return torch.cat(turns, dim=1)


class TuneModel(nn.Module):
    def __init__(self, d=48, heads=4, layers=2):
        super().__init__()
        self.note = nn.Embedding(NOTES, d)
        self.beat = nn.Embedding(LENGTH, d)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(d, heads, 2 * d, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(d)
        self.out = nn.Linear(d, NOTES)

    def forward(self, notes):
        x = self.note(notes) + self.beat.weight[: notes.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))

    @torch.no_grad()
    def go_on(self, notes, n):
        for _ in range(n):
            following = self(notes)[:, -1].argmax(-1, keepdim=True)
            notes = torch.cat([notes, following], dim=1)
        return notes


def main():
    torch.manual_seed(33)
    model = TuneModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for step in range(1, 601):
        tune = tunes(32)
        logits = model(tune[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), tune[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step:4d}  loss {loss.item():.4f}")
    model.eval()
    tune = tunes(200)
    played = model.go_on(tune[:, :GIVEN], LENGTH - GIVEN)
    right = (played[:, GIVEN:] == tune[:, GIVEN:]).float().mean().item()
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
