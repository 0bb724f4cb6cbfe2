"""Where a visitor came from, from the log of their clicks: the landing page gives it away.

cause: vanishing-gradients
family: rnn
metric: accuracy, higher
repair:
    - return self.out(output[:, -1])
    + return self.out(output.mean(dim=1))
"""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset

PAGES = 40
SOURCES = 5
LENGTH = 50


class VisitLog(Dataset):
    """The first clicks depend on the source, the rest is browsing."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.source = torch.randint(SOURCES, (n,), generator=g)
        self.pages = torch.randint(PAGES, (n, LENGTH), generator=g)
        landing = self.source * 4 + torch.randint(4, (n,), generator=g)
        self.pages[:, 0] = landing
        for k in (1, 2):
            again = torch.rand(n, generator=g) < 0.6
            self.pages[:, k] = torch.where(again, landing, self.pages[:, k])

    def __len__(self):
        return len(self.source)

    def __getitem__(self, i):
        return self.pages[i], self.source[i]


class SourceRNN(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(PAGES, 32)
        self.rnn = nn.RNN(32, hidden, batch_first=True)
        self.out = nn.Linear(hidden, SOURCES)

    def forward(self, pages):
        output, _ = self.rnn(self.embed(pages))
        return self.out(output[:, -1])


def accuracy(model, loader):
    model.eval()
    right = n = 0
    with torch.no_grad():
        for pages, source in loader:
            right += (model(pages).argmax(1) == source).sum().item()
            n += len(source)
    return right / n


def main():
    torch.manual_seed(3)
    train_loader = DataLoader(VisitLog(4000, 0), batch_size=100, shuffle=True)
    test_loader = DataLoader(VisitLog(1000, 1), batch_size=250)
    model = SourceRNN()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(1, 13):
        model.train()
        running_loss = 0.0
        for pages, source in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(pages), source)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running_loss += loss.item()
        acc = accuracy(model, test_loader)
        print(f"[{epoch}] loss: {running_loss / len(train_loader):.3f}  accuracy: {acc:.3f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
