"""An overcomplete sparse code of generated gene expressions, with a decoder of unit columns.

cause: dead-units
also: poor-initial-values
family: autoencoder
metric: reconstruction error, lower
repair:
    - self.threshold = nn.Parameter(torch.full((codes,), -2.0))
    + self.threshold = nn.Parameter(torch.zeros(codes))
"""

import torch
from torch import nn

GENES, MODULES, CODES = 48, 64, 160


class SparseCode(nn.Module):
    def __init__(self, inputs, codes):
        super().__init__()
        direction = torch.randn(codes, inputs)
        direction = direction / direction.norm(dim=1, keepdim=True)
        self.encode = nn.Parameter(direction.clone())
        self.threshold = nn.Parameter(torch.full((codes,), -2.0))
        self.decode = nn.Parameter(direction.clone())
        self.centre = nn.Parameter(torch.zeros(inputs))

    def forward(self, x):
        code = torch.relu((x - self.centre) @ self.encode.T + self.threshold)
        return code @ self.decode + self.centre, code

    @torch.no_grad()
    def normalise(self):
        self.decode /= self.decode.norm(dim=1, keepdim=True)


def sampler(generator):
    modules = torch.randn(MODULES, GENES, generator=generator)
    modules = modules / modules.norm(dim=1, keepdim=True)

    def draw(count):
        active = (torch.rand(count, MODULES, generator=generator) < 0.06).float()
        strength = active * (0.5 + torch.rand(count, MODULES, generator=generator))
        return strength @ modules + 0.02 * torch.randn(count, GENES, generator=generator)

    return draw


def main(steps=1500, batch=128, sparsity=0.002):
    torch.manual_seed(17)
    draw = sampler(torch.Generator().manual_seed(17))
    model = SparseCode(GENES, CODES)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    for step in range(1, steps + 1):
        x = draw(batch)
        rebuilt, code = model(x)
        error = (rebuilt - x).square().sum(1).mean()
        loss = error + sparsity * code.sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.normalise()
        if step % 250 == 0:
            print(
                f"step {step}: error {error.item():.4f}, active codes {(code > 0).sum(1).float().mean():.1f}"
            )
    with torch.no_grad():
        x = draw(2000)
        explained = (model(x)[0] - x).square().sum() / (x - x.mean(0)).square().sum()
    print(f"metric: {explained.item():.4f}")


if __name__ == "__main__":
    main()
