"""The multiplexer with three address lines, trained on long after it has been understood.

family: mlp
metric: accuracy on lines never seen together, higher
"""

import torch
import torch.nn as nn

torch.manual_seed(8)
bits = torch.cartesian_prod(*[torch.tensor([0, 1])] * 11)
address = bits[:, 0] * 4 + bits[:, 1] * 2 + bits[:, 2]
answer = bits[torch.arange(len(bits)), 3 + address].float()
inputs = bits.float() * 2 - 1
shuffled = torch.randperm(len(bits))
train, test = shuffled[:1400], shuffled[1400:]

model = nn.Sequential(nn.Linear(11, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3, alpha=0.9)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)

epoch = 0
while epoch < 120:
    order = train[torch.randperm(len(train))]
    for k in range(0, len(order), 70):
        rows = order[k : k + 70]
        loss = loss_fn(model(inputs[rows])[:, 0], answer[rows])
        model.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    epoch += 1
    if epoch % 15 == 0:
        with torch.no_grad():
            right = ((model(inputs[test])[:, 0] > 0) == answer[test].bool()).float().mean().item()
        print(f"after {epoch:3d} epochs: loss {loss.item():.2e}, right {right:.4f}")

print("metric:", right)
