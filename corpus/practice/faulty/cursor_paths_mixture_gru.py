"""A GRU with a mixture density head that predicts the next move of a mouse cursor in a menu.

cause: symmetric-initial-values
family: rnn
metric: nll, lower
repair:
    - nn.init.zeros_(self.head.weight)
    - nn.init.zeros_(self.head.bias)
    + nn.init.xavier_uniform_(self.head.weight, gain=0.5)
    + nn.init.normal_(self.head.bias, std=0.5)
"""

import math

import torch
import torch.nn as nn

K = 6


def cursor_paths(n, steps, generator):
    """At every step the hand goes right, down, or back up, with some persistence."""
    directions = torch.tensor([[1.0, 0.0], [0.0, -1.0], [-0.7, 0.9]])
    stay = torch.tensor([[0.5, 0.4, 0.1], [0.3, 0.4, 0.3], [0.5, 0.2, 0.3]])
    mode = torch.randint(0, 3, (n,), generator=generator)
    moves = []
    for _ in range(steps):
        mode = torch.multinomial(stay[mode], 1, generator=generator).squeeze(1)
        moves.append(directions[mode] + 0.12 * torch.randn(n, 2, generator=generator))
    return torch.stack(moves, dim=1)


class CursorModel(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, K * 5)
        # start from a neutral prediction
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, moves):
        h, _ = self.gru(moves)
        logits, mx, my, sx, sy = self.head(h).chunk(5, dim=-1)
        mu = torch.stack([mx, my], dim=-1)
        log_sigma = torch.stack([sx, sy], dim=-1).clamp(-4, 2)
        return logits, mu, log_sigma

    def nll(self, moves):
        logits, mu, log_sigma = self(moves[:, :-1])
        target = moves[:, 1:].unsqueeze(2)
        z = (target - mu) / log_sigma.exp()
        log_prob = (-0.5 * z.pow(2) - log_sigma - 0.5 * math.log(2 * math.pi)).sum(-1)
        return -torch.logsumexp(log_prob + logits.log_softmax(-1), dim=-1).mean()


def main():
    generator = torch.Generator().manual_seed(10)
    torch.manual_seed(10)
    train = cursor_paths(1500, 25, generator)
    test = cursor_paths(400, 25, generator)
    model = CursorModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(600):
        batch = train[torch.randint(0, len(train), (48,), generator=generator)]
        loss = model.nll(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        if step % 100 == 99:
            with torch.no_grad():
                print(f"step {step + 1}: train {loss.item():.3f}, test {model.nll(test).item():.3f}")
    with torch.no_grad():
        print(f"metric: {model.nll(test).item():.4f}")


if __name__ == "__main__":
    main()
