"""Hiking trails to recommend from the set of trails walked, by a multinomial variational autoencoder.

family: vae
metric: recall at 20, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

N_TRAILS = 400


def walked(n_hikers, rng):
    """Binary matrix; hikers have a mixture of regions and a level of fitness."""
    world = np.random.default_rng(3)
    region = world.integers(0, 12, N_TRAILS)
    steep = world.uniform(0, 1, N_TRAILS)
    fame = world.gumbel(0, 0.7, N_TRAILS)
    likes = rng.dirichlet(np.full(12, 0.25), n_hikers)
    fitness = rng.uniform(0, 1, n_hikers)
    score = np.log(likes[:, region] + 1e-3) + fame - 5 * (steep - fitness[:, None]) ** 2
    noisy = score + rng.gumbel(0, 0.6, score.shape)
    counts = rng.integers(15, 45, n_hikers)
    rank = (-noisy).argsort(1).argsort(1)
    return torch.tensor(rank < counts[:, None], dtype=torch.float32)


class MultVAE(nn.Module):
    def __init__(self, n_items, hidden=128, latent=32, dropout=0.4):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.enc = nn.Linear(n_items, hidden)
        self.enc_out = nn.Linear(hidden, 2 * latent)
        self.dec = nn.Linear(latent, hidden)
        self.dec_out = nn.Linear(hidden, n_items)
        for layer in (self.enc, self.enc_out, self.dec, self.dec_out):
            nn.init.xavier_normal_(layer.weight)
            nn.init.trunc_normal_(layer.bias, std=0.001)

    def forward(self, x):
        h = torch.tanh(self.enc(self.dropout(F.normalize(x))))
        mu, logvar = self.enc_out(h).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec_out(torch.tanh(self.dec(z))), mu, logvar


def elbo_loss(logits, x, mu, logvar, beta):
    neg_ll = -(F.log_softmax(logits, dim=1) * x).sum(1).mean()
    kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
    return neg_ll + beta * kld, kld


@torch.no_grad()
def recall_at_20(model, seen, hidden):
    model.eval()
    logits, _, _ = model(seen)
    logits = logits.masked_fill(seen > 0, -torch.inf)
    top = logits.topk(20, dim=1).indices
    found = hidden.gather(1, top).sum(1)
    return (found / hidden.sum(1).clamp(max=20)).mean().item()


def main():
    torch.manual_seed(70)
    rng = np.random.default_rng(70)
    train = walked(3000, rng)
    test = walked(500, rng)
    keep = torch.rand_like(test) < 0.8
    seen, hidden = test * keep, test * ~keep
    some = hidden.sum(1) > 0
    seen, hidden = seen[some], hidden[some]

    model = MultVAE(N_TRAILS)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    anneal_cap, total_anneal, step = 0.2, 600, 0
    for epoch in range(18):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(train)).split(64):
            x = train[batch]
            beta = min(anneal_cap, step / total_anneal)
            logits, mu, logvar = model(x)
            loss, kld = elbo_loss(logits, x, mu, logvar, beta)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            step += 1
        if epoch % 3 == 2:
            recall = recall_at_20(model, seen, hidden)
            print(f"epoch {epoch + 1}: loss {total / 47:.3f} (kl {kld.item():.2f}), recall@20 {recall:.4f}")
    popular = train.sum(0).expand_as(seen).masked_fill(seen > 0, -1).topk(20, dim=1).indices
    by_fame = (hidden.gather(1, popular).sum(1) / hidden.sum(1).clamp(max=20)).mean().item()
    print(f"most popular: {by_fame:.4f}")
    print(f"metric: {recall_at_20(model, seen, hidden):.4f}")


if __name__ == "__main__":
    main()
