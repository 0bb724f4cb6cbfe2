"""A mixed model of vowel length for a thesis: speakers and words as shrunken offsets, plain tensors.

family: linear
metric: R2 on held-out tokens, higher
"""

import numpy as np
import torch

torch.manual_seed(9)
rng = np.random.default_rng(9)
N, SPEAKERS, WORDS = 6000, 60, 450

# tokens, with Zipf-like word counts: many words are seen once or twice
speaker = rng.integers(0, SPEAKERS, N)
word_p = 1 / np.arange(1, WORDS + 1)
word = rng.choice(WORDS, N, p=word_p / word_p.sum())
stressed = rng.random(N) < 0.45
open_vowel = rng.random(WORDS)[word] < 0.4
voiced_coda = rng.random(WORDS)[word] < 0.5
rate = rng.normal(5.2, 0.7, N) + rng.normal(0, 0.5, SPEAKERS)[speaker]
final = rng.random(N) < 0.15
length = (
    92
    + 28 * stressed
    + 21 * open_vowel
    + 14 * voiced_coda
    - 11 * (rate - 5.2)
    + 38 * final
    + 9 * stressed * voiced_coda
    + rng.normal(0, 10, SPEAKERS)[speaker]
    + rng.normal(0, 7, WORDS)[word]
    + rng.normal(0, 22, N)
)

X = np.column_stack([stressed, open_vowel, voiced_coda, rate - 5.2, final, stressed * voiced_coda]).astype(
    float
)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor((length - length.mean()) / length.std(), dtype=torch.float32)
speaker, word = torch.tensor(speaker), torch.tensor(word)
train, test = torch.arange(0, 5000), torch.arange(5000, N)

beta = torch.zeros(X.shape[1], requires_grad=True)
intercept = torch.zeros(1, requires_grad=True)
u_speaker = torch.zeros(SPEAKERS, requires_grad=True)
u_word = torch.zeros(WORDS, requires_grad=True)
parameters = [beta, intercept, u_speaker, u_word]
# penalties sigma2 / tau2 of the offsets, from the pilot study
LAMBDA_SPEAKER, LAMBDA_WORD = 5.0, 10.0


def predict(i):
    return intercept + X[i] @ beta + u_speaker[speaker[i]] + u_word[word[i]]


optimizer = torch.optim.Adam(parameters, lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9985)
for step in range(1800):
    i = train[torch.randint(0, len(train), (256,))]
    squared = (predict(i) - y[i]).pow(2).mean()
    prior = (LAMBDA_SPEAKER * u_speaker.pow(2).sum() + LAMBDA_WORD * u_word.pow(2).sum()) / len(train)
    loss = squared + prior
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 200 == 0:
        with torch.no_grad():
            held = (predict(test) - y[test]).pow(2).mean().item()
        print(f"step {step:4d} loss {loss.item():.4f} held out {held:.4f}")

with torch.no_grad():
    r2 = 1 - (predict(test) - y[test]).pow(2).mean() / y[test].var()
    print("effects (ms):", (beta * float(length.std())).round(decimals=1).tolist())
print(f"metric: {r2.item():.4f}")
