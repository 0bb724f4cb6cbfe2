"""Complaint or not: a logistic regression on bags of words of passengers' messages, with a sparsity penalty.

family: linear
metric: accuracy, higher
"""

import random
from collections import Counter

import torch
import torch.nn.functional as F

random.seed(404)
torch.manual_seed(404)

LISTS = {
    "bad": (
        "late again cancelled rude broken dirty waiting hours cold refund worst lost stuck ignored "
        "overcrowded smelly shame ridiculous never delay "
    ),
    "good": (
        "thanks friendly lovely smooth view great crew quick clean easy comfortable sunny perfect "
        "helpful early enjoyed calm best kind welcome "
    ),
    "neutral": (
        "ferry boat ticket today morning evening island harbour captain deck car bicycle queue "
        "crossing coffee children dog weekend office app seat window gate bridge wind rain train "
        "bus family holiday "
    ),
}
BAD, GOOD, NEUTRAL = (LISTS[kind].split() for kind in ("bad", "good", "neutral"))
RARE = [f"user{i}" for i in range(600)]


def message(complaint):
    words = random.choices(NEUTRAL, k=random.randint(5, 11))
    own, other = (BAD, GOOD) if complaint else (GOOD, BAD)
    words += random.choices(own, k=random.randint(1, 3))
    if random.random() < 0.4:
        words += random.choices(other, k=1)
    if random.random() < 0.6:
        words.append(random.choice(RARE))
    random.shuffle(words)
    return words


labels = [int(random.random() < 0.4) for _ in range(5000)]
messages = [message(k) for k in labels]
counts = Counter(w for m in messages[:4000] for w in m)
vocabulary = {w: i for i, (w, n) in enumerate(counts.most_common()) if n >= 2}


def bags(rows):
    x = torch.zeros(len(rows), len(vocabulary))
    for i, words in enumerate(rows):
        for w in words:
            if w in vocabulary:
                x[i, vocabulary[w]] = 1.0
    return x


x, y = bags(messages), torch.tensor(labels, dtype=torch.float32)
x_train, y_train, x_test, y_test = x[:4000], y[:4000], x[4000:], y[4000:]

w = torch.zeros(len(vocabulary), requires_grad=True)
b = torch.zeros((), requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.5)
l1 = 2e-4

step = 0
for epoch in range(20):
    for rows in torch.randperm(4000).split(50):
        loss = F.binary_cross_entropy_with_logits(x_train[rows] @ w + b, y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # the proximal step of the penalty
            shrink = l1 * optimizer.param_groups[0]["lr"]
            w.copy_(torch.sign(w) * (w.abs() - shrink).clamp(min=0))
        step += 1
    optimizer.param_groups[0]["lr"] = 0.5 / (1 + 0.1 * (epoch + 1))
    with torch.no_grad():
        accuracy = ((x_test @ w + b > 0).float() == y_test).float().mean().item()
    if epoch % 4 == 3:
        used = (w != 0).sum().item()
        print(f"epoch {epoch + 1} loss {loss.item():.4f} test {accuracy:.4f} words in use {used}")

print(f"metric: {accuracy:.4f}")
