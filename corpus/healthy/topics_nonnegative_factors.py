"""Topics in a table of word counts: two non-negative factors by the gradient of the Poisson likelihood.

family: factorisation
metric: mean cosine of true topics and the nearest found, higher
"""

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(1)
torch.manual_seed(1)
DOCS, WORDS, TOPICS = 400, 150, 6
topics = rng.dirichlet(np.full(WORDS, 0.08), TOPICS)
mixtures = rng.dirichlet(np.full(TOPICS, 0.3), DOCS)
lengths = rng.integers(80, 300, DOCS)
counts = torch.tensor(
    np.array([rng.multinomial(n, m @ topics) for n, m in zip(lengths, mixtures, strict=True)])
).float()

raw_docs = torch.randn(DOCS, TOPICS).mul_(0.1).requires_grad_()
raw_words = torch.randn(TOPICS, WORDS).mul_(0.1).requires_grad_()


def factors():
    return F.softplus(raw_docs) * lengths_scale, torch.softmax(raw_words, 1)


lengths_scale = torch.tensor(lengths)[:, None] / TOPICS / np.log(2)
opt = torch.optim.Adam([raw_docs, raw_words], lr=0.05)
for it in range(600):
    a, b = factors()
    rate = a @ b
    loss = (rate - counts * torch.log(rate + 1e-10)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 100 == 0:
        print(f"iteration {it:4d}, Poisson loss {loss.item():.1f}")

with torch.no_grad():
    found = F.normalize(factors()[1], dim=1)
true = F.normalize(torch.tensor(topics).float(), dim=1)
print("metric:", (true @ found.T).max(1).values.mean().item())
