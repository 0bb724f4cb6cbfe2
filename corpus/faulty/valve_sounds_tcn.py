"""A dilated temporal convolution network that says which of four valves a sound came from.

cause: vanishing-gradients
family: cnn
metric: accuracy, higher
repair:
    - x = torch.tanh(conv(x))
    + x = x + torch.tanh(conv(x))
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

SAMPLES = 64


class Recordings(IterableDataset):
    """Noise, and somewhere in it a short chirp: rising or falling, slow or fast."""

    def __init__(self, count, seed):
        self.count, self.seed = count, seed

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        t = torch.arange(SAMPLES).float()
        for _ in range(self.count):
            kind = torch.randint(4, (1,), generator=g).item()
            start, phase = torch.rand(2, generator=g).tolist()
            u = (t - 4 - 24 * start) / 28
            low, high = (1.0, 5.0) if kind % 2 else (3.0, 9.0)
            u_ = u if kind < 2 else 1 - u
            chirp = torch.sin(2 * math.pi * (low * u_ + (high - low) / 2 * u_**2 + phase))
            sound = chirp * ((u > 0) & (u < 1)) + 0.3 * torch.randn(SAMPLES, generator=g)
            yield sound[None], kind


class TemporalNet(nn.Module):
    def __init__(self, channels=16, depth=12):
        super().__init__()
        self.stem = nn.Conv1d(1, channels, 3, padding=1)
        dilations = [2 ** (i % 4) for i in range(depth)]
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, 3, padding=d, dilation=d) for d in dilations)
        self.head = nn.Linear(channels, 4)

    def forward(self, x):
        x = self.stem(x)
        for conv in self.convs:
            x = torch.tanh(conv(x))
        return self.head(x.amax(2))


@torch.no_grad()
def accuracy(net, loader):
    net.eval()
    hits = [(net(x).argmax(1) == y).float() for x, y in loader]
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(10)
    train = list(DataLoader(Recordings(1600, 1), batch_size=32))
    test = list(DataLoader(Recordings(400, 2), batch_size=100))
    net = TemporalNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for epoch in range(8):
        net.train()
        for i in torch.randperm(len(train)).tolist():
            x, y = train[i]
            loss = nn.functional.cross_entropy(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(f"epoch {epoch + 1}, loss {loss.item():.3f}, test {accuracy(net, test):.3f}")
    print(f"metric: {accuracy(net, test):.4f}")


if __name__ == "__main__":
    main()
