"""An LSTM remembers three letters over a long pause; its forget gates start open, its gradients are clipped.

family: rnn
metric: accuracy, higher
"""

import torch
from torch import nn

LETTERS, PAUSE, KEEP = 6, 15, 3


def batch(size):
    """Letters, blanks, then a mark for each letter that is to be said again."""
    said = torch.randint(1, LETTERS + 1, (size, KEEP))
    blanks = torch.zeros(size, PAUSE, dtype=torch.long)
    marks = torch.full((size, KEEP), LETTERS + 1)
    return torch.cat([said, blanks, marks], dim=1), said - 1


class Memory(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 2, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.say = nn.Linear(hidden, LETTERS)
        with torch.no_grad():
            for bias in (self.lstm.bias_ih_l0, self.lstm.bias_hh_l0):
                bias.zero_()
            self.lstm.bias_ih_l0[hidden : 2 * hidden] = 2.0

    def forward(self, symbols):
        states, _ = self.lstm(self.embed(symbols))
        return self.say(states[:, -KEEP:])


def main(steps=700):
    torch.manual_seed(47)
    model = Memory()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3, alpha=0.95)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=steps)
    for step in range(1, steps + 1):
        symbols, said = batch(64)
        logits = model(symbols)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), said.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            with torch.no_grad():
                symbols, said = batch(500)
                accuracy = (model(symbols).argmax(-1) == said).float().mean().item()
            print(f"step {step} loss {loss.item():.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
