"""Two encoders that bring a tune and its description together, trained on the pairs of a batch.

cause: softmax-before-cross-entropy
family: siamese
metric: top-1 retrieval, higher
repair:
    - match = (scale * a @ b.T).softmax(dim=1)
    + match = scale * a @ b.T
"""

import torch
from torch import nn
from torch.nn import functional as F

TRAITS, NOTES, WORDS = 6, 24, 40


class Tower(nn.Module):
    def __init__(self, inputs, hidden=64, shared=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, shared))

    def forward(self, x):
        return F.normalize(self.net(x), dim=-1)


class PairModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.tune, self.text = Tower(NOTES), Tower(WORDS)
        self.log_scale = nn.Parameter(torch.tensor(2.659))

    def forward(self, tune, text):
        a, b = self.tune(tune), self.text(text)
        scale = self.log_scale.exp()
        match = (scale * a @ b.T).softmax(dim=1)
        return F.cross_entropy(match, torch.arange(len(a)))


class World:
    """Hidden traits shape both the notes and the words."""

    def __init__(self, generator):
        self.generator = generator
        self.to_notes = torch.randn(TRAITS, NOTES, generator=generator)
        self.to_words = torch.randn(TRAITS, WORDS, generator=generator)

    def pairs(self, count):
        traits = torch.randn(count, TRAITS, generator=self.generator)
        notes = torch.tanh(traits @ self.to_notes)
        notes = notes + 0.1 * torch.randn(count, NOTES, generator=self.generator)
        words = (traits @ self.to_words + torch.randn(count, WORDS, generator=self.generator) > 0.5).float()
        return notes, words


if __name__ == "__main__":
    torch.manual_seed(29)
    world = World(torch.Generator().manual_seed(29))
    tunes, texts = world.pairs(4000)
    test_tunes, test_texts = world.pairs(100)
    model = PairModel()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for rows in torch.randperm(len(tunes)).split(64):
            loss = model(tunes[rows], texts[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        nearest = (model.tune(test_tunes) @ model.text(test_texts).T).argmax(1)
    print(f"metric: {(nearest == torch.arange(100)).float().mean().item():.4f}")
