"""Keep the loop you have, and change one import: every method is a torch.optim.Optimizer."""

import torch
from torch import nn

import descend

torch.manual_seed(0)
x = torch.randn(512, 20)
y = (x @ torch.randn(20, 3)).argmax(1)
model = nn.Linear(20, 3)
optimizer = descend.AdamW(model.parameters(), lr=1e-2)  # was: torch.optim.AdamW
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)

for _ in range(200):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()

print(f"loss {loss.item():.3f}")
assert loss.item() < 0.3
