"""A Wasserstein critic and generator with gradient penalty, on two moons.

family: gan
metric: sliced Wasserstein distance to fresh data, lower
"""

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Generator(nn.Module):
    def __init__(self, noise, width):
        super().__init__()
        self.noise = noise
        self.body = nn.Sequential(
            nn.Linear(noise, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        )

    def forward(self, n):
        return self.body(torch.randn(n, self.noise))


class Critic(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)])

    def forward(self, x):
        x = torch.nn.functional.leaky_relu(self.layers[0](x), 0.2)
        x = torch.nn.functional.leaky_relu(self.layers[1](x), 0.2)
        return self.layers[2](x).squeeze(-1)


def gradient_penalty(critic, real, fake):
    mix = torch.rand(len(real), 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    grad = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    return ((grad.norm(dim=1) - 1) ** 2).mean()


def sliced_wasserstein(a, b, directions=64):
    theta = torch.randn(2, directions)
    theta = theta / theta.norm(dim=0)
    pa, pb = (a @ theta).sort(dim=0).values, (b @ theta).sort(dim=0).values
    return (pa - pb).abs().mean().item()


def moons(n, seed):
    points = make_moons(n, noise=0.06, random_state=seed)[0].astype(np.float32)
    return (torch.from_numpy(points) - torch.tensor([0.5, 0.25])) / torch.tensor([0.87, 0.5])


def main():
    torch.manual_seed(1)
    data = moons(8000, seed=0)
    gen, critic = Generator(4, 64), Critic(64)
    average = AveragedModel(gen, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    g_opt = torch.optim.Adam(gen.parameters(), lr=2e-3, betas=(0.0, 0.9))
    c_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    g_decay = torch.optim.lr_scheduler.LinearLR(g_opt, 1.0, 0.02, total_iters=440)
    c_decay = torch.optim.lr_scheduler.LinearLR(c_opt, 1.0, 0.02, total_iters=440 * 3)

    for iteration in range(440):
        for _ in range(3):
            real = data[torch.randint(0, len(data), (128,))]
            fake = gen(128).detach()
            gap = critic(fake).mean() - critic(real).mean()
            loss = gap + 0.3 * gradient_penalty(critic, real, fake)
            c_opt.zero_grad(set_to_none=True)
            loss.backward()
            c_opt.step()
            c_decay.step()

        g_loss = -critic(gen(128)).mean()
        g_opt.zero_grad(set_to_none=True)
        g_loss.backward()
        g_opt.step()
        average.update_parameters(gen)
        g_decay.step()
        if iteration % 50 == 0:
            print(f"{iteration:4d} critic {loss.item():+.4f} generator {g_loss.item():+.4f}")

    with torch.no_grad():
        made = average(4000)
    fresh = moons(4000, seed=1)
    print("distance between two sets of real data:", round(sliced_wasserstein(fresh, data[:4000]), 4))
    print(f"metric: {sliced_wasserstein(made, fresh):.4f}")


if __name__ == "__main__":
    main()
