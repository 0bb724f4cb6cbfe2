"""A small transformer over the words of a few fables.

cause: overfitting
family: transformer
metric: nats per word, lower
repair:
    - CONFIG = {"dim": 96, "heads": 4, "layers": 2, "context": 12, "drop": 0.0, "epochs": 16, "decay": 0.0}
    + CONFIG = {"dim": 96, "heads": 4, "layers": 1, "context": 12, "drop": 0.3, "epochs": 3, "decay": 0.3}
"""

import re

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {"dim": 96, "heads": 4, "layers": 2, "context": 12, "drop": 0.0, "epochs": 16, "decay": 0.0}

FABLES = """
A fox saw grapes on a high vine. The fox jumped and jumped, but the grapes were too high for the fox. The
fox went away and said that the grapes were sour. A crow had a piece of cheese and sat in a high tree. A
fox saw the crow and the cheese, and the fox said that the crow had a fine voice. The crow opened the
beak to sing, and the cheese fell down. The fox took the cheese and went away. A dog had a piece of meat
and went over a bridge. The dog saw in the water a dog with a piece of meat. The dog opened the mouth to
take the meat, and the meat fell into the water. A lion lay asleep in the grass. A mouse ran over the
lion, and the lion took the mouse. The mouse said that a mouse could help a lion one day, and the lion
let the mouse go. One day the lion lay in a net. The mouse saw the lion, and the mouse opened the net
with the teeth, and the lion went away. A hare said that the tortoise was slow. The tortoise said that a
tortoise could run as far as a hare. The hare ran and ran, and then the hare lay down in the grass and
was asleep. The tortoise went on and on. The hare ran when the day was over, but the tortoise was there.
An ant went to the water to drink and fell into the water. A dove sat in a tree and saw the ant, and let
a leaf fall down. The ant went up on the leaf. Then a man came with a net to take the dove. The ant saw
the man and bit the foot of the man, and the dove went away. A wolf saw a lamb at the water. The wolf
said that the lamb had made the water bad. The lamb said that the water came from the wolf to the lamb.
The wolf said that it was the father of the lamb, and took the lamb and went away. A crow wanted to
drink. The crow saw a jar with water, but the water was too low in the jar. The crow took a stone and let
the stone fall into the jar, and then one more, and one more. The water came up, and the crow could
drink. A man had a goose, and the goose had an egg of gold one day and an egg of gold the day after. The
man said that the goose was full of gold. The man opened the goose, and there was no gold in the goose. A
grasshopper sang when the days were warm. The ant carried corn into the house. When the days were cold
the grasshopper came to the ant and wanted corn. The ant said that a grasshopper that sang when the days
were warm could dance when the days were cold. A frog saw an ox and wanted to be as big as the ox. The
frog drank and drank, and said to the frogs, am I as big as the ox? The frogs said no. The frog drank
more and more, and then there was no frog. A fox fell into a well and could not go up. A goat came to the
well and wanted to drink. The fox said that the water was fine, and the goat jumped into the well. The
fox jumped up on the goat and went away, and the goat was in the well. A wolf took the coat of a sheep
and went into the field with the sheep. The man wanted meat one day and took a sheep, and it was the
wolf. A boy said that a wolf was there, and the men ran to the field, but there was no wolf. Then one day
the wolf was there. The boy said that a wolf was there, but no man came, and the wolf took the sheep and
went away.
"""


class Block(nn.Module):
    def __init__(self, dim, heads, drop):
        super().__init__()
        self.heads, self.drop = heads, drop
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), nn.Dropout(drop)
        )

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        x = x + F.dropout(self.proj(mixed), self.drop, self.training)
        return x + self.mlp(self.norm2(x))


class WordModel(nn.Module):
    def __init__(self, words, dim, heads, layers, context, drop):
        super().__init__()
        self.word, self.place = nn.Embedding(words, dim), nn.Embedding(context, dim)
        self.drop = nn.Dropout(drop)
        self.blocks = nn.Sequential(*(Block(dim, heads, drop) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, words)

    def forward(self, ids):
        x = self.drop(self.word(ids) + self.place.weight[: ids.shape[1]])
        return self.head(self.norm(self.blocks(x)))


def nats(model, windows):
    logits = model(windows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


def main(dim, heads, layers, context, drop, epochs, decay):
    torch.manual_seed(620)
    words = re.findall(r"[a-z]+|[.,?]", FABLES.lower())
    index = {word: i for i, word in enumerate(sorted(set(words)))}
    ids = torch.tensor([index[word] for word in words])
    cut = int(0.85 * len(ids))
    train, test = ids[:cut].unfold(0, context + 1, 1), ids[cut:].unfold(0, context + 1, context)
    model = WordModel(len(index), dim, heads, layers, context, drop)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=decay)
    print(f"{len(train)} windows, {sum(p.numel() for p in model.parameters())} parameters")
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for batch in train[torch.randperm(len(train))].split(40):
            loss = nats(model, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            held_out = nats(model, test).item()
        print(f"epoch {epoch:2d}: train {total / len(train):.3f}, test {held_out:.3f}")
    print(f"metric: {held_out:.4f}")


if __name__ == "__main__":
    main(**CONFIG)
