"""Exclusive or of two noisy signals, with three hidden units.

family: mlp
metric: accuracy, higher
"""

import torch

torch.manual_seed(4)


class Xor(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(2, 3)
        self.out = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x))).squeeze(-1)


def signals(n):
    bits = torch.randint(0, 2, (n, 2)).float()
    return bits * 2 - 1 + 0.3 * torch.randn(n, 2), (bits[:, 0] != bits[:, 1]).float()


model = Xor()
print(sum(p.numel() for p in model.parameters()), "numbers")
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for step in range(900):
    x, y = signals(64)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, round(loss.item(), 4))

x, y = signals(4000)
with torch.no_grad():
    print("metric:", ((model(x) > 0) == (y > 0.5)).float().mean().item())
