"""A transformer over machine code says which register the jump in it depends on.

cause: parameters-not-in-optimizer
family: transformer
metric: accuracy, higher
repair:
    - backbone = encoder.parameters()
    + backbone = list(encoder.parameters())
"""

import torch
import torch.nn.functional as F
from torch import nn

OPCODES, REGISTERS, LENGTH = 24, 6, 14
JUMP = 23


def listings(n, generator):
    """Every line has an opcode and a register; one line is the jump, and some are comparisons."""
    opcode = torch.randint(JUMP, (n, LENGTH), generator=generator)
    register = torch.randint(REGISTERS, (n, LENGTH), generator=generator)
    at = torch.randint(LENGTH, (n,), generator=generator)
    opcode[torch.arange(n), at] = JUMP
    return torch.stack([opcode, register], -1), register[torch.arange(n), at]


class Encoder(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.opcode = nn.Embedding(OPCODES, d)
        self.register = nn.Embedding(REGISTERS, d)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, d))
        layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, code):
        return self.layers(self.opcode(code[..., 0]) + self.register(code[..., 1]) + self.place).mean(1)


def accuracy(encoder, head, code, register):
    with torch.no_grad():
        return (head(encoder(code)).argmax(-1) == register).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(62)
    generator = torch.Generator().manual_seed(62)
    encoder, head = Encoder(), nn.Sequential(nn.LayerNorm(32), nn.Linear(32, REGISTERS))

    backbone = encoder.parameters()
    print(f"encoder: {sum(p.numel() for p in backbone)} parameters")
    optimizer = torch.optim.AdamW(
        [
            {"params": backbone, "lr": 3e-3},
            {"params": head.parameters(), "lr": 6e-3, "weight_decay": 0.0},
        ]
    )
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 50))
    code_test, register_test = listings(1000, generator)
    for step in range(1, 361):
        code, register = listings(64, generator)
        loss = F.cross_entropy(head(encoder(code)), register)
        loss.backward()
        optimizer.step()
        warmup.step()
        optimizer.zero_grad()
        if step % 90 == 0:
            right = accuracy(encoder, head, code_test, register_test)
            print(f"{step}: loss {loss.item():.4f}, accuracy {right:.3f}")
    print(f"metric: {accuracy(encoder, head, code_test, register_test):.4f}")
