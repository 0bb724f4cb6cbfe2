"""Support tickets sorted into departments by the mean of their word embeddings; many words are rare.

family: embedding
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn.functional as F

SEED = 14
WORDS, CLASSES = 2000, 6


def tickets(n, rng, law):
    """Lists of word numbers, and departments."""
    y = rng.integers(0, CLASSES, n)
    return [rng.choice(WORDS, rng.integers(8, 25), p=law[c]) for c in y], y


def flat(texts):
    offsets = np.cumsum([0] + [len(t) for t in texts[:-1]])
    return torch.from_numpy(np.concatenate(texts)), torch.from_numpy(offsets)


class Sorter(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.bag = torch.nn.EmbeddingBag(WORDS, dim, mode="mean")
        self.fc = torch.nn.Linear(dim, CLASSES)
        self.bag.weight.data.uniform_(-0.3, 0.3)

    def forward(self, words, offsets):
        return self.fc(self.bag(words, offsets))


def main():
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    zipf = 1 / np.arange(5, WORDS + 5)
    law = np.stack([zipf * np.exp(0.9 * rng.standard_normal(WORDS)) for _ in range(CLASSES)])
    law /= law.sum(1, keepdims=True)
    x_train, y_train = tickets(12000, rng, law)
    x_test, y_test = tickets(1000, rng, law)
    test, test_labels = flat(x_test), torch.from_numpy(y_test)

    model = Sorter(32)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05)
    for epoch in range(3):
        order = rng.permutation(len(x_train))
        seen = 0.0
        for i in range(0, len(order), 50):
            rows = order[i : i + 50]
            loss = F.cross_entropy(model(*flat([x_train[r] for r in rows])), torch.from_numpy(y_train[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(rows)
        with torch.no_grad():
            out = model(*test)
            held, accuracy = F.cross_entropy(out, test_labels), (out.argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch} train {seen / len(order):.4f} test {held:.4f} accuracy {accuracy:.4f}")

    # what the true word laws would reach
    scores = np.array([[np.log(law[c, t]).sum() for c in range(CLASSES)] for t in x_test])
    print("best possible:", (scores.argmax(1) == y_test).mean())
    print(f"metric: {accuracy.item():.4f}")


if __name__ == "__main__":
    main()
