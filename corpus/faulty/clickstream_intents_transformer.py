"""A small transformer reads the clicks of a visit to a shop and says what the visitor is after.

cause: label-noise
family: transformer
metric: accuracy, higher
repair:
    - labels = [answers.get(i, INTENTS.index("browse")) for i in range(len(visits))]
    + visits = [visits[i] for i in sorted(answers)]
    + labels = [answers[i] for i in sorted(answers)]
"""

import numpy as np
import torch
from torch import nn

INTENTS = ["browse", "buy", "return", "complain"]
CLICKS = 20
LENGTH = 16

HABITS = np.random.default_rng(0).dirichlet(np.full(CLICKS, 0.6), (len(INTENTS), CLICKS))


def visit(intent, rng):
    clicks = [int(rng.integers(CLICKS))]
    while len(clicks) < LENGTH:
        wanders = rng.random() < 0.4
        clicks.append(
            int(rng.integers(CLICKS) if wanders else rng.choice(CLICKS, p=HABITS[intent, clicks[-1]]))
        )
    return clicks


def questionnaire(intents, rng, share=0.45):
    """What visitors said when they were asked at the till; many close the window."""
    return {i: intent for i, intent in enumerate(intents) if rng.random() < share}


class VisitReader(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.click = nn.Embedding(CLICKS, d)
        self.previous = nn.Embedding(CLICKS + 1, d)
        layer = nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.1, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(d, len(INTENTS))

    def forward(self, clicks):
        before = torch.cat([torch.full_like(clicks[:, :1], CLICKS), clicks[:, :-1]], 1)
        return self.head(self.encoder(self.click(clicks) * self.previous(before)).mean(1))


def main():
    torch.manual_seed(27)
    rng = np.random.default_rng(27)
    intents = [int(i) for i in rng.integers(0, len(INTENTS), 3000)]
    visits = [visit(i, rng) for i in intents]
    test_intents = [int(i) for i in rng.integers(0, len(INTENTS), 500)]
    x_test = torch.tensor([visit(i, rng) for i in test_intents])

    answers = questionnaire(intents, rng)
    labels = [answers.get(i, INTENTS.index("browse")) for i in range(len(visits))]
    x, y = torch.tensor(visits), torch.tensor(labels)

    model = VisitReader()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    step, steps = 0, 450
    while step < steps:
        model.train()
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            for part in rows.split(25):
                loss = nn.functional.cross_entropy(model(x[part]), y[part])
                (loss * len(part) / len(rows)).backward()
            optimizer.step()
            step += 1
            if step % 90 == 0:
                print(f"step {step}: loss {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        right = (model(x_test).argmax(1) == torch.tensor(test_intents)).float().mean().item()
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
