"""Which of nine jams a worn label names, learnt with sharpness-aware minimisation: two passes a step.

family: cnn
metric: accuracy, higher
"""

import torch
from torch import nn
from torch.nn import functional as F


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base = base(self.param_groups, **kwargs)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def ascend(self):
        grads = [p.grad for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.stack([g.norm() for g in grads]).norm()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.state[p]["there"] = p.detach().clone()
                p.add_(p.grad, alpha=float(group["rho"] / (norm + 1e-12)))
        self.zero_grad()

    @torch.no_grad()
    def descend(self):
        for group in self.param_groups:
            for p in group["params"]:
                if "there" in self.state[p]:
                    p.copy_(self.state[p]["there"])
        self.base.step()
        self.zero_grad()

    def step(self, closure):
        loss = closure()
        self.ascend()
        closure()
        self.descend()
        return loss


def labels_of_jars(n, prototypes):
    """Prototypes printed off-centre, with a worn corner, under uneven light."""
    y = torch.randint(len(prototypes), (n,))
    image = prototypes[y]
    theta = torch.eye(2, 3).repeat(n, 1, 1)
    theta[:, :, 2] = 0.12 * torch.randn(n, 2)
    theta[:, 0, 1] = 0.15 * torch.randn(n)
    image = F.grid_sample(
        image.unsqueeze(1), F.affine_grid(theta, [n, 1, 16, 16], False), align_corners=False
    )
    rows = torch.arange(16)
    worn = (rows.view(1, -1, 1) + rows.view(1, 1, -1)) < torch.randint(4, 18, (n, 1, 1))
    image = image.masked_fill(worn.unsqueeze(1), 0.0)
    return image * (0.7 + 0.6 * torch.rand(n, 1, 1, 1)) + 0.5 * torch.randn(n, 1, 16, 16), y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(32 * 16, 64), nn.Linear(64, 9)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


torch.manual_seed(909)
coarse = torch.rand(9, 1, 8, 8)
prototypes = (F.interpolate(coarse, size=16, mode="bilinear") > 0.5).float().squeeze(1) * 2 - 1
train_x, train_y = labels_of_jars(900, prototypes)
test_x, test_y = labels_of_jars(600, prototypes)

net = Net()
opt = SAM(net.parameters(), torch.optim.SGD, rho=0.05, lr=0.02, momentum=0.9, weight_decay=5e-4)
for epoch in range(14):
    net.train()
    total = 0.0
    for idx in torch.randperm(len(train_x)).split(45):
        x, y = train_x[idx], train_y[idx]

        def closure(x=x, y=y):
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            return loss.item()

        total += opt.step(closure) * len(idx)
    net.eval()
    with torch.no_grad():
        accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
    if epoch % 2:
        print(f"epoch {epoch + 1}: loss {total / len(train_x):.4f}, accuracy {accuracy:.4f}")
print(f"metric: {accuracy:.4f}")
