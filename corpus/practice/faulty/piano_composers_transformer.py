"""Which of four composers wrote a bar of piano notes, with a small transformer encoder.

cause: overfitting
family: transformer
metric: accuracy, higher
repair:
    - notes, who = train_notes[:128], train_who[:128]
    + notes, who = train_notes, train_who
"""

import torch
from torch import nn

COMPOSERS = 4
PITCHES = 36
LENGTH = 20


def compose(n, generator):
    """Note sequences from one Markov chain per composer, all close to a chain that they share."""
    g = torch.Generator().manual_seed(99)
    shared = torch.randn(PITCHES, PITCHES, generator=g)
    chains = torch.softmax(1.3 * shared + 0.75 * torch.randn(COMPOSERS, PITCHES, PITCHES, generator=g), -1)
    who = torch.randint(COMPOSERS, (n,), generator=generator)
    note = torch.randint(PITCHES, (n,), generator=generator)
    bars = [note]
    for _ in range(LENGTH - 1):
        note = torch.multinomial(chains[who, note], 1, generator=generator)[:, 0]
        bars.append(note)
    return torch.stack(bars, 1), who


class BarEncoder(nn.Module):
    def __init__(self, width=32, heads=4, depth=2):
        super().__init__()
        self.pitch = nn.Embedding(PITCHES, width)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, heads, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, COMPOSERS)

    def forward(self, notes):
        h = self.encoder(self.pitch(notes) + self.position)
        return self.head(self.norm(h).mean(1))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        logits = model(x)
    return nn.functional.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(5)
    generator = torch.Generator().manual_seed(5)
    train_notes, train_who = compose(5000, generator)
    test_notes, test_who = compose(800, generator)
    notes, who = train_notes[:128], train_who[:128]

    model = BarEncoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    for step in range(1, 501):
        model.train()
        batch = torch.randint(len(notes), (64,))
        loss = nn.functional.cross_entropy(model(notes[batch]), who[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            test_loss, accuracy = evaluate(model, test_notes, test_who)
            print(f"step {step}: train {loss.item():.4f} test {test_loss:.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
