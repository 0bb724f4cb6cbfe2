"""How much subscribers of a theatre enjoyed its plays, with a neural collaborative filter.

cause: missing-activation
family: recommender
metric: mse, lower
repair:
    - layers = [nn.Linear(widths[i], widths[i + 1]) for i in range(len(hidden))]
    + layers = [m for i in range(len(hidden)) for m in (nn.Linear(widths[i], widths[i + 1]), nn.ReLU())]
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def enjoyment(generator, subscribers=220, plays=90, share=0.5):
    mood = torch.randn(subscribers, 3, generator=generator)
    tone = torch.randn(plays, 3, generator=generator)
    score = 0.5 * torch.randn(subscribers, 1, generator=generator) + 0.8 * torch.tanh(mood @ tone.T)
    score = score + 0.2 * torch.randn(score.shape, generator=generator)
    seen = torch.rand(score.shape, generator=generator) < share
    who, what = seen.nonzero(as_tuple=True)
    return who, what, score[who, what]


class NeuralCF(nn.Module):
    def __init__(self, subscribers, plays, dim=16, hidden=(64, 32)):
        super().__init__()
        self.subscriber = nn.Embedding(subscribers, dim)
        self.play = nn.Embedding(plays, dim)
        widths = [2 * dim, *hidden]
        layers = [nn.Linear(widths[i], widths[i + 1]) for i in range(len(hidden))]
        self.tower = nn.Sequential(*layers)
        self.score = nn.Linear(hidden[-1], 1)

    def forward(self, who, what):
        pair = torch.cat([self.subscriber(who), self.play(what)], dim=-1)
        return self.score(self.tower(pair)).squeeze(-1)


def main():
    torch.manual_seed(19)
    generator = torch.Generator().manual_seed(19)
    who, what, score = enjoyment(generator)
    order = torch.randperm(len(who), generator=generator)
    train, test = order[:-1200], order[-1200:]
    loader = DataLoader(TensorDataset(who[train], what[train], score[train]), batch_size=128, shuffle=True)
    model = NeuralCF(220, 90)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-5)
    for epoch in range(14):
        model.train()
        for u, i, s in loader:
            loss = nn.functional.mse_loss(model(u, i), s)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            mse = nn.functional.mse_loss(model(who[test], what[test]), score[test]).item()
        print(f"epoch {epoch + 1:2d}: last batch {loss.item():.4f}, test {mse:.4f}")
    print(f"metric: {mse:.4f}")


if __name__ == "__main__":
    main()
