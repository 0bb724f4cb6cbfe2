"""A fully convolutional network reads the height of a landscape from how it is lit.

cause: loss-broadcast
family: cnn
metric: mean absolute error, lower
repair:
    - loss = charbonnier(net(image), height)
    + loss = charbonnier(net(image).squeeze(1), height)
"""

import torch
from torch import nn

SIZE = 24


def landscapes(n, generator):
    """Hills of several heights; light falls from the left, and high ground is paler."""
    rows = torch.arange(SIZE)[None, :, None].float()
    columns = torch.arange(SIZE)[None, None].float()
    height = torch.zeros(n, SIZE, SIZE)
    for _ in range(5):
        r, c, wide, tall = torch.rand(4, n, 1, 1, generator=generator)
        far = (rows - SIZE * r) ** 2 + (columns - SIZE * c) ** 2
        height += (2 * tall - 0.5) * torch.exp(-far / (2 * (2 + 4 * wide) ** 2))
    slope = height - height.roll(1, dims=2)
    light = 2 * slope + 0.5 * height + 0.1 * torch.randn(n, SIZE, SIZE, generator=generator)
    return light[:, None], height


def charbonnier(output, target, eps=1e-3):
    return torch.sqrt((output - target) ** 2 + eps**2).mean()


class HeightNet(nn.Sequential):
    def __init__(self, width=16):
        super().__init__(
            nn.Conv2d(1, width, 5, padding=2),
            nn.ELU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.ELU(),
            nn.Conv2d(width, width, 3, padding=4, dilation=4),
            nn.ELU(),
            nn.Conv2d(width, 1, 1),
        )


def main():
    torch.manual_seed(404)
    generator = torch.Generator().manual_seed(404)
    x_test, h_test = landscapes(200, generator)
    net = HeightNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 350)
    for step in range(1, 351):
        image, height = landscapes(12, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = charbonnier(net(image), height)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 70 == 0:
            print(f"step {step:4d}  loss {loss.item():.4f}")
    with torch.inference_mode():
        error = (net(x_test)[:, 0] - h_test).abs().mean().item()
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
