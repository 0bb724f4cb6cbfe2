"""Two towers recommend recipes to cooks; other cooks' recipes in the batch serve as negatives.

family: recommender
metric: recall at 10, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(47)

COOKS, RECIPES, TRAITS = 800, 300, 6
cook_taste = torch.randn(COOKS, TRAITS)
recipe_style = torch.randn(RECIPES, TRAITS)
popularity = torch.randn(RECIPES) * 0.8
tags = (recipe_style @ torch.randn(TRAITS, 24) + 0.7 * torch.randn(RECIPES, 24) > 1.0).float()
profile = cook_taste @ torch.randn(TRAITS, 10) * 0.5 + 0.5 * torch.randn(COOKS, 10)
score = 1.1 * cook_taste @ recipe_style.T + popularity
cooked = torch.multinomial(F.softmax(score, 1), 25)
train_cook = torch.arange(COOKS).repeat_interleave(20)
train_recipe = cooked[:, :20].reshape(-1)
test_recipe = cooked[:, 20:]
seen = torch.zeros(COOKS, RECIPES, dtype=torch.bool).scatter_(1, cooked[:, :20], True)
log_share = torch.log((torch.bincount(train_recipe, minlength=RECIPES) + 1) / len(train_recipe))


class Tower(nn.Module):
    def __init__(self, rows, features, width=24):
        super().__init__()
        self.identity = nn.Embedding(rows, width)
        nn.init.normal_(self.identity.weight, std=0.05)
        self.mlp = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, width))

    def forward(self, ids, features):
        return self.identity(ids) + self.mlp(features)


cook_tower, recipe_tower = Tower(COOKS, 10), Tower(RECIPES, 24)
bias = nn.Parameter(torch.zeros(RECIPES))
optimizer = torch.optim.AdamW(
    [
        {"params": [*cook_tower.parameters(), *recipe_tower.parameters()]},
        {"params": [bias], "weight_decay": 0.0},
    ],
    lr=2e-3,
    weight_decay=0.2,
)


@torch.no_grad()
def recall(k=10):
    c = cook_tower(torch.arange(COOKS), profile)
    r = recipe_tower(torch.arange(RECIPES), tags)
    best = (c @ r.T + bias).masked_fill(seen, -torch.inf).topk(k, 1).indices
    return (best[:, :, None] == test_recipe[:, None, :]).any(1).float().mean().item()


popular = log_share.expand(COOKS, -1).masked_fill(seen, -torch.inf).topk(10, 1).indices
print(f"most popular: {(popular[:, :, None] == test_recipe[:, None, :]).any(1).float().mean():.4f}")
best = score.masked_fill(seen, -torch.inf).topk(10, 1).indices
print(f"with the true scores: {(best[:, :, None] == test_recipe[:, None, :]).any(1).float().mean():.4f}")
for epoch in range(8):
    losses = []
    for rows in torch.randperm(len(train_cook)).split(128):
        c, r = train_cook[rows], train_recipe[rows]
        logits = cook_tower(c, profile[c]) @ recipe_tower(r, tags[r]).T + bias[r] - log_share[r]
        same = (r[:, None] == r[None, :]) & ~torch.eye(len(r), dtype=torch.bool)
        loss = F.cross_entropy(logits.masked_fill(same, -1e4), torch.arange(len(r)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, recall at 10 {recall():.4f}")

print(f"metric: {recall():.4f}")
