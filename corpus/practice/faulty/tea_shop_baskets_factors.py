"""Which teas a customer will order next: matrix factorisation with sampled negatives.

cause: repeated-batch
family: recommender
metric: auc, higher
repair:
    - rng = np.random.default_rng(SEED)
    - rows = rng.integers(0, len(orders), BATCH)
    - unbought = rng.integers(0, N_TEAS, BATCH)
    + rows = RNG.integers(0, len(orders), BATCH)
    + unbought = RNG.integers(0, N_TEAS, BATCH)
    - SEED = 2024
    + SEED = 2024
    + RNG = np.random.default_rng(SEED)
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

N_CUSTOMERS, N_TEAS, RANK = 400, 150, 16
BATCH = 256
SEED = 2024


def order_book():
    rng = np.random.default_rng(7)
    taste = rng.normal(0, 1, (N_CUSTOMERS, 5))
    flavour = rng.normal(0, 1, (N_TEAS, 5))
    appeal = 1.3 * taste @ flavour.T + rng.normal(0, 1, N_TEAS)
    bought = rng.random(appeal.shape) < 1 / (1 + np.exp(-(appeal - 3.0)))
    pairs = np.argwhere(bought)
    held_out = rng.random(len(pairs)) < 0.2
    return pairs[~held_out], pairs[held_out], bought


def sample_batch(orders):
    """Customers, teas and whether they were ordered: half true orders, half drawn teas."""
    rng = np.random.default_rng(SEED)
    rows = rng.integers(0, len(orders), BATCH)
    unbought = rng.integers(0, N_TEAS, BATCH)
    customers = np.concatenate([orders[rows, 0], orders[rows, 0]])
    teas = np.concatenate([orders[rows, 1], unbought])
    target = np.concatenate([np.ones(BATCH), np.zeros(BATCH)])
    return torch.tensor(customers), torch.tensor(teas), torch.tensor(target, dtype=torch.float32)


class Factors(nn.Module):
    def __init__(self):
        super().__init__()
        self.customer = nn.Embedding(N_CUSTOMERS, RANK)
        self.tea = nn.Embedding(N_TEAS, RANK)
        self.tea_bias = nn.Embedding(N_TEAS, 1)
        nn.init.normal_(self.customer.weight, std=0.1)
        nn.init.normal_(self.tea.weight, std=0.1)
        nn.init.zeros_(self.tea_bias.weight)

    def forward(self, customer, tea):
        return (self.customer(customer) * self.tea(tea)).sum(1) + self.tea_bias(tea).squeeze(1)


def held_out_auc(model, held_out, bought):
    rng = np.random.default_rng(1)
    customers = rng.integers(0, N_CUSTOMERS, 4 * len(held_out))
    teas = rng.integers(0, N_TEAS, 4 * len(held_out))
    never = ~bought[customers, teas]
    pairs = np.concatenate([held_out, np.stack([customers, teas], 1)[never]])
    truth = np.concatenate([np.ones(len(held_out)), np.zeros(never.sum())])
    with torch.no_grad():
        scores = model(torch.tensor(pairs[:, 0]), torch.tensor(pairs[:, 1]))
    return roc_auc_score(truth, scores.numpy())


if __name__ == "__main__":
    torch.manual_seed(SEED)
    orders, held_out, bought = order_book()
    model = Factors()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
    for step in range(1, 1501):
        customers, teas, target = sample_batch(orders)
        loss = nn.functional.binary_cross_entropy_with_logits(model(customers, teas), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 300 == 0:
            print(f"step {step}: loss {loss.item():.4f}, auc {held_out_auc(model, held_out, bought):.3f}")
    print(f"metric: {held_out_auc(model, held_out, bought):.4f}")
