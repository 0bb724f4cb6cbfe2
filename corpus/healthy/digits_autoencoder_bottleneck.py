"""An autoencoder with tied weights that squeezes 8x8 digits through twelve numbers.

family: autoencoder
metric: share of held-out variance explained, higher
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)

x = torch.tensor(load_digits().data, dtype=torch.float32) / 16
x = x[torch.randperm(len(x))]
train, test = x[:1400], x[1400:]
mean = train.mean(0)


class TiedAutoencoder(torch.nn.Module):
    def __init__(self, sizes=(64, 96, 12)):
        super().__init__()
        self.w = torch.nn.ParameterList(
            [torch.nn.init.xavier_uniform_(torch.empty(o, i)) for i, o in pairwise(sizes)]
        )
        self.down = torch.nn.ParameterList([torch.zeros(o) for o in sizes[1:]])
        self.up = torch.nn.ParameterList([torch.zeros(i) for i in reversed(sizes[:-1])])

    def encode(self, x):
        x = F.gelu(F.linear(x, self.w[0], self.down[0]))
        return F.linear(x, self.w[1], self.down[1])

    def decode(self, z):
        z = F.gelu(F.linear(z, self.w[1].t(), self.up[0]))
        return F.linear(z, self.w[0].t(), self.up[1])

    def forward(self, x):
        return self.decode(self.encode(x))


model = TiedAutoencoder()
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)


def explained(data):
    with torch.no_grad():
        centred = data - mean
        return 1 - ((model(centred) - centred) ** 2).sum().item() / (centred**2).sum().item()


for epoch in range(60):
    order = torch.randperm(len(train))
    for rows in order.split(100):
        batch = train[rows] - mean
        loss = F.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1:3d}  train {explained(train):.4f}  test {explained(test):.4f}")

print(f"metric: {explained(test):.4f}")
