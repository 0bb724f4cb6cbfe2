"""A graph network looks for accounts that spread advertisements in a forum, by habits and contacts.

cause: class-imbalance
family: gnn
metric: balanced accuracy, higher
repair:
    - criterion = nn.CrossEntropyLoss()
    + counts = torch.bincount(spam[train], minlength=2).float()
    + criterion = nn.CrossEntropyLoss(weight=counts.sum() / (2 * counts))
"""

import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

ACCOUNTS = 1200


def forum(generator):
    """One account in twenty-five advertises; such accounts write to each other more than to others."""
    spam = (torch.rand(ACCOUNTS, generator=generator) < 0.04).long()
    chance = 0.004 + 0.05 * (spam[:, None] * spam[None])
    writes = torch.triu(torch.rand(ACCOUNTS, ACCOUNTS, generator=generator) < chance, 1)
    writes = (writes | writes.T).float()
    habits = torch.randn(ACCOUNTS, 8, generator=generator)
    habits[:, :4] += 0.7 * spam[:, None]
    return habits, writes / writes.sum(1, keepdim=True).clamp(min=1), spam


class SageLayer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.mine = nn.Linear(i, o)
        self.theirs = nn.Linear(i, o, bias=False)

    def forward(self, mean, h):
        return self.mine(h) + self.theirs(mean @ h)


class Detector(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.one = SageLayer(8, hidden)
        self.two = SageLayer(hidden, 2)
        self.drop = nn.Dropout(0.2)

    def forward(self, mean, h):
        return self.two(mean, self.drop(torch.tanh(self.one(mean, h))))


def main():
    torch.manual_seed(13)
    generator = torch.Generator().manual_seed(13)
    habits, mean, spam = forum(generator)
    order = torch.randperm(ACCOUNTS, generator=generator)
    train, test = order[:700], order[700:]
    model = Detector()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-2)
    for epoch in range(250):
        model.train()
        loss = criterion(model(mean, habits)[train], spam[train])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 50 == 49:
            model.eval()
            with torch.no_grad():
                guess = model(mean, habits).argmax(1)
            right = (guess == spam)[test].float().mean().item()
            print(f"epoch {epoch + 1}: loss {loss.item():.4f}, accuracy {right:.4f}")
    print(f"metric: {balanced_accuracy_score(spam[test], guess[test]):.4f}")


if __name__ == "__main__":
    main()
