"""The field of a patent from the words of its abstract; every epoch dwells on what is still hard.

cause: training-in-eval-mode
family: mlp
metric: held-out log loss, lower
repair:
    - for rows in hardest[torch.randperm(len(hardest))].split(batch_size):
    + model.train()
    + for rows in hardest[torch.randperm(len(hardest))].split(batch_size):
"""

import numpy as np
import torch
from torch import nn

WORDS, FIELDS = 600, 5


def abstracts(n, seed):
    shared = np.random.default_rng(8)
    base = shared.dirichlet(np.full(WORDS, 0.3))
    topics = shared.dirichlet(np.full(WORDS, 0.05), FIELDS)
    rng = np.random.default_rng(seed)
    field = rng.integers(0, FIELDS, n)
    second = rng.integers(0, FIELDS, n)
    bags = np.stack(
        [
            rng.multinomial(rng.integers(30, 70), 0.7 * base + 0.18 * topics[f] + 0.12 * topics[s])
            for f, s in zip(field, second, strict=True)
        ]
    )
    return torch.tensor(np.log1p(bags), dtype=torch.float32), torch.from_numpy(field)


class AbstractClassifier(nn.Module):
    def __init__(self, hidden=128):
        super().__init__()
        self.word_drop = nn.Dropout(0.5)
        self.hidden = nn.Linear(WORDS, hidden)
        self.unit_drop = nn.Dropout(0.7)
        self.out = nn.Linear(hidden, FIELDS)

    def forward(self, bags):
        return self.out(self.unit_drop(torch.relu(self.hidden(self.word_drop(bags)))))

    @torch.no_grad()
    def predict(self, bags):
        """Log probabilities of the fields."""
        self.eval()
        return torch.log_softmax(self(bags), dim=1)


def choose(model, bags, field, share):
    surprise = -model.predict(bags).gather(1, field.unsqueeze(1)).squeeze(1)
    return surprise.topk(int(share * len(bags))).indices


torch.manual_seed(80)
bags, field = abstracts(500, 801)
bags_test, field_test = abstracts(1500, 802)
model = AbstractClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
batch_size = 25

for epoch in range(60):
    hardest = choose(model, bags, field, share=0.8)
    for rows in hardest[torch.randperm(len(hardest))].split(batch_size):
        loss = criterion(model(bags[rows]), field[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        predicted = model.predict(bags_test)
        right = (predicted.argmax(1) == field_test).float().mean().item()
        log_loss = nn.functional.nll_loss(predicted, field_test).item()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, held out {log_loss:.4f}, right {right:.4f}")

print(f"metric: {log_loss:.4f}")
