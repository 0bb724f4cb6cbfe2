"""A conditional GAN that draws 8x8 digits on demand.

family: gan
metric: accuracy of a classifier taught on generated digits, tested on real ones, higher
"""

import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=0.3, random_state=0, stratify=digits.target
)
images = torch.tensor(x_train, dtype=torch.float32) / 8 - 1
labels = torch.tensor(y_train)
loader = DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True, drop_last=True)

Z = 24


class Draw(nn.Module):
    def __init__(self):
        super().__init__()
        self.which = nn.Embedding(10, 16)
        self.net = nn.Sequential(
            nn.Linear(Z + 16, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, 192),
            nn.BatchNorm1d(192),
            nn.ReLU(),
            nn.Linear(192, 64),
            nn.Tanh(),
        )

    def forward(self, z, y):
        return self.net(torch.cat([z, self.which(y)], 1))


class Judge(nn.Module):
    """Projection discriminator."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            spectral_norm(nn.Linear(64, 192)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Linear(192, 128)),
            nn.LeakyReLU(0.2),
        )
        self.out = spectral_norm(nn.Linear(128, 1))
        self.which = nn.Embedding(10, 128)
        nn.init.normal_(self.which.weight, std=0.1)

    def forward(self, x, y):
        h = self.features(x)
        return self.out(h).squeeze(1) + (h * self.which(y)).sum(1)


draw, judge = Draw(), Judge()
opt_draw = torch.optim.Adam(draw.parameters(), lr=1e-3, betas=(0.0, 0.99))
opt_judge = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.0, 0.99))

for epoch in range(38):
    total_d = total_g = 0.0
    for real, y in loader:
        y_fake = torch.randint(0, 10, (len(real),))
        fake = draw(torch.randn(len(real), Z), y_fake)
        d_loss = (1 - judge(real, y)).relu().mean() + (1 + judge(fake.detach(), y_fake)).relu().mean()
        opt_judge.zero_grad()
        d_loss.backward()
        opt_judge.step()

        y_fake = torch.randint(0, 10, (len(real),))
        judge.requires_grad_(False)
        g_loss = -judge(draw(torch.randn(len(real), Z), y_fake), y_fake).mean()
        opt_draw.zero_grad()
        g_loss.backward()
        opt_draw.step()
        judge.requires_grad_(True)
        total_d += d_loss.item()
        total_g += g_loss.item()
    if epoch % 5 == 0:
        print(f"epoch {epoch}: judge {total_d / len(loader):.3f}, draw {total_g / len(loader):.3f}")

draw.eval()
with torch.no_grad():
    wanted = torch.arange(2000) % 10
    drawn = draw(torch.randn(2000, Z), wanted)
pupil = LogisticRegression(C=0.1, max_iter=300).fit(drawn.numpy(), wanted.numpy())
print("metric:", round(pupil.score(x_test / 8 - 1, y_test), 4))
