"""The stage of a brew in every ten minutes from single noisy readings: a tagger under a chain of stages.

cause: parameters-not-in-optimizer
family: mlp
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(tagger.parameters(), lr=3e-3)
    + optimizer = torch.optim.Adam([*tagger.parameters(), *criterion.parameters()], lr=3e-3)
"""

import numpy as np
import torch
from torch import nn

STAGES, STEPS = 6, 28


def brews(n, seed):
    """Readings of three sensors; a stage mostly stays, or is followed by one of its two successors."""
    rng = np.random.default_rng(seed)
    law = np.random.default_rng(77)
    follow = np.stack([law.choice(np.delete(np.arange(STAGES), s), 2, replace=False) for s in range(STAGES)])
    level = law.normal(0, 1, (STAGES, 3))
    stage = np.zeros((n, STEPS), dtype=np.int64)
    stage[:, 0] = rng.integers(0, STAGES, n)
    for t in range(1, STEPS):
        moved = follow[stage[:, t - 1], rng.integers(0, 2, n)]
        stage[:, t] = np.where(rng.random(n) < 0.65, stage[:, t - 1], moved)
    seen = level[stage] + rng.normal(0, 1.1, (n, STEPS, 3))
    return torch.tensor(seen, dtype=torch.float32), torch.from_numpy(stage)


class ChainLoss(nn.Module):
    """The negative log-likelihood of a linear chain, averaged over steps."""

    def __init__(self, states):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(states))
        self.transition = nn.Parameter(0.1 * torch.randn(states, states))

    def forward(self, scores, path):
        gold = self.start[path[:, 0]] + scores.gather(2, path.unsqueeze(2)).sum((1, 2))
        gold = gold + self.transition[path[:, :-1], path[:, 1:]].sum(1)
        alpha = self.start + scores[:, 0]
        for t in range(1, scores.size(1)):
            alpha = torch.logsumexp(alpha.unsqueeze(2) + self.transition, dim=1) + scores[:, t]
        return (torch.logsumexp(alpha, dim=1) - gold).mean() / scores.size(1)

    @torch.no_grad()
    def best_path(self, scores):
        best, pointers = self.start + scores[:, 0], []
        for t in range(1, scores.size(1)):
            value, pointer = (best.unsqueeze(2) + self.transition).max(dim=1)
            best = value + scores[:, t]
            pointers.append(pointer)
        path = [best.argmax(1)]
        for pointer in reversed(pointers):
            path.append(pointer.gather(1, path[-1].unsqueeze(1)).squeeze(1))
        return torch.stack(path[::-1], dim=1)


def make_tagger(hidden=32):
    return nn.Sequential(nn.Linear(3, hidden), nn.ReLU(), nn.Linear(hidden, STAGES))


def run():
    torch.manual_seed(28)
    seen, stage = brews(900, 280)
    seen_test, stage_test = brews(300, 281)
    tagger, criterion = make_tagger(), ChainLoss(STAGES)
    optimizer = torch.optim.Adam(tagger.parameters(), lr=3e-3)
    for epoch in range(10):
        running = 0.0
        for idx in torch.randperm(len(seen)).split(30):
            optimizer.zero_grad()
            loss = criterion(tagger(seen[idx]), stage[idx])
            loss.backward()
            optimizer.step()
            running += loss.item() / 30
        with torch.no_grad():
            guess = criterion.best_path(tagger(seen_test))
        accuracy = (guess == stage_test).float().mean().item()
        print(f"epoch {epoch + 1:2d}: loss {running:.4f}, accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    print(f"metric: {run():.4f}")
