"""Types of carpet knots in close-up pictures, five convolutions deep.

cause: poor-initial-values
also: vanishing-gradients
family: cnn
metric: accuracy, higher
repair:
    - torch.nn.init.normal_(module.weight, mean=0.0, std=0.01)
    + torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
"""

import torch
from torch import nn

SIDE = 20


def knots(n, generator):
    kinds = torch.randint(4, (n,), generator=generator)
    axis = torch.arange(SIDE).float()
    y, x = axis.view(1, SIDE, 1), axis.view(1, 1, SIDE)

    def draw(low, high):
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    a, b, w = draw(0, 6.3), draw(0, 6.3), draw(0.9, 1.3)
    persian = torch.sin(w * x + 0.6 * y + a)
    turkish = torch.sin(w * x + a) * torch.sin(w * y + b)
    tibetan = torch.sign(torch.sin(w * x + a)) * torch.cos(0.5 * w * y + b)
    jufti = torch.sin(0.6 * x - w * y + a)
    stack = torch.stack([persian, turkish, tibetan, jufti])
    images = stack[kinds, torch.arange(n)]
    return (draw(0.6, 1.2) * images + 0.8 * torch.randn(n, SIDE, SIDE, generator=generator)).unsqueeze(
        1
    ), kinds


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        torch.nn.init.normal_(module.weight, mean=0.0, std=0.01)
        torch.nn.init.constant_(module.bias, 0.0)


def make_model():
    layers, channels = [], 1
    for out, stride in ((16, 1), (16, 2), (24, 1), (24, 2), (32, 1)):
        layers += [nn.Conv2d(channels, out, 3, stride=stride, padding=1), nn.ReLU(inplace=True)]
        channels = out
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32 * 4, 4))
    model.apply(initialise)
    return model


def main():
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    x, y = knots(1500, generator)
    x_val, y_val = knots(500, generator)
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    for epoch in range(10):
        model.train()
        seen = 0.0
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = criterion(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
        print(f"epoch {epoch}: loss {seen / len(x):.4f} val accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
