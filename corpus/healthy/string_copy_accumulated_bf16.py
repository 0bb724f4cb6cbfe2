"""A transformer that copies strings after a separator; in bfloat16, gradients gathered over four batches.

family: transformer
metric: share of characters copied rightly, higher
"""

import torch
from torch import nn

SEP, VOCAB, LENGTH = 16, 17, 10
MICRO, ACCUMULATE, UPDATES = 16, 4, 100

torch.manual_seed(9)


class Copier(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, width)
        self.where = nn.Embedding(2 * LENGTH, width)
        layers = [
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(2)
        ]
        self.layers = nn.ModuleList(layers)
        self.out = nn.Linear(width, VOCAB)

    def forward(self, tokens):
        t = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        h = self.embed(tokens) + self.where(torch.arange(t))
        for layer in self.layers:
            h = layer(h, src_mask=mask, is_causal=True)
        return self.out(h)


def strings(n):
    s = torch.randint(0, SEP, (n, LENGTH))
    return torch.cat([s, torch.full((n, 1), SEP), s], 1)


model = Copier()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=UPDATES, pct_start=0.25)

for micro in range(UPDATES * ACCUMULATE):
    full = strings(MICRO)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(full[:, :-1])[:, LENGTH:]
    loss = nn.functional.cross_entropy(logits.float().transpose(1, 2), full[:, LENGTH + 1 :])
    (loss / ACCUMULATE).backward()
    if (micro + 1) % ACCUMULATE == 0:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
    if micro % 40 == 0:
        print(f"batch {micro}: loss {loss.item():.4f}")

model.eval()
with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
    full = strings(500)
    right = model(full[:, :-1])[:, LENGTH:].argmax(-1) == full[:, LENGTH + 1 :]
print(f"metric: {right.float().mean().item():.4f}")
