"""Length and weight of amber beads from a market stall, imitated by a pair of adversarial networks.

cause: missing-zero-grad
begins: 4
family: gan
metric: energy distance, lower
repair:
    - loss_g = bce(discriminator(fake), real_labels)
    + optimizer_g.zero_grad()
    + loss_g = bce(discriminator(fake), real_labels)
"""

import torch
from torch import nn

ITERATIONS = 1500
BATCH = 128
LATENT = 4


def weigh_beads(n, generator):
    """Three workshops, each with its own habit of size; weight grows with the cube of the length."""
    shop = torch.randint(0, 3, (n,), generator=generator)
    length = torch.tensor([0.7, 1.2, 1.7])[shop] + 0.08 * torch.randn(n, generator=generator)
    density = 1.05 + 0.06 * torch.randn(n, generator=generator)
    weight = density * length**3 * torch.tensor([0.8, 0.5, 0.35])[shop]
    table = torch.stack([length, weight], dim=1)
    return (table - table.mean(0)) / table.std(0)


def energy_distance(a, b):
    between = torch.cdist(a, b).mean()
    return (2 * between - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


generator_net = nn.Sequential(
    nn.Linear(LATENT, 64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 2),
)
discriminator = nn.Sequential(
    nn.Linear(2, 64),
    nn.LeakyReLU(0.2),
    nn.Linear(64, 64),
    nn.LeakyReLU(0.2),
    nn.Linear(64, 1),
)


def initialise(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


torch.manual_seed(31)
beads = weigh_beads(4000, torch.Generator().manual_seed(7))
held_out = weigh_beads(1500, torch.Generator().manual_seed(8))
generator_net.apply(initialise)
discriminator.apply(initialise)

optimizer_g = torch.optim.Adam(generator_net.parameters(), lr=1e-3, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
real_labels, fake_labels = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

for iteration in range(1, ITERATIONS + 1):
    real = beads[torch.randint(0, len(beads), (BATCH,))]
    fake = generator_net(torch.randn(BATCH, LATENT))

    # discriminator
    optimizer_d.zero_grad()
    loss_real = bce(discriminator(real), real_labels)
    loss_fake = bce(discriminator(fake.detach()), fake_labels)
    loss_d = (loss_real + loss_fake) / 2
    loss_d.backward()
    optimizer_d.step()

    # generator
    loss_g = bce(discriminator(fake), real_labels)
    loss_g.backward()
    optimizer_g.step()

    if iteration % 250 == 0:
        with torch.no_grad():
            distance = energy_distance(generator_net(torch.randn(1500, LATENT)), held_out)
        print(f"{iteration}: D {loss_d.item():.3f}  G {loss_g.item():.3f}  distance {distance:.4f}")

with torch.no_grad():
    samples = generator_net(torch.randn(1500, LATENT))
print(f"metric: {energy_distance(samples, held_out):.4f}")
