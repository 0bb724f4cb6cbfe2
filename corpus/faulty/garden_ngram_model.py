"""A character model in the manner of Bengio: an embedding of the last letters, then a perceptron.

cause: repeated-batch
family: embedding
metric: nats_per_character, lower
repair:
    - g = torch.Generator().manual_seed(SEED)
    - at = torch.randint(CONTEXT, len(text), (size,), generator=g)
    + at = torch.randint(CONTEXT, len(text), (size,), generator=g)
    - def get_batch(text, size):
    + def get_batch(text, size, g):
    - x, y = get_batch(train_text, 64)
    + x, y = get_batch(train_text, 64, g)
    - C, W1, b1, W2, b2 = parameters = initial(len(alphabet))
    + g = torch.Generator().manual_seed(SEED)
    + C, W1, b1, W2, b2 = parameters = initial(len(alphabet))
"""

import torch
import torch.nn.functional as F

SEED = 2147483647
CONTEXT, EMBED, HIDDEN = 5, 10, 80

TEXT = """in the garden there is a wall, in the wall there is a door, and behind the door there is a garden.
the gardener waters the beans in the morning and the roses in the evening. in the morning the beans are wet,
and in the evening the roses are wet, and at night the snails come over the wall. the snails like the beans
more than the roses. the gardener likes the roses more than the beans, but he has to eat the beans in winter.
so in the evening he goes along the wall with a lamp, and he takes the snails from the beans, and he carries
them behind the door into the other garden. in the other garden there is another gardener. she waters the
beans in the evening and the roses in the morning, and at night she goes along the wall with a lamp, and she
takes the snails from the roses, and she carries them behind the door. the snails like the door. they have
been through the door more often than the gardeners, and they know both of the gardens, and the beans on
this side of the wall and the roses on that side of the wall. in winter the snails sleep in the wall. the
gardeners sit at the window, he on this side and she on that side, and they eat the beans and look at the snow
on the roses. in the morning the snow is on the door, and in the evening the light of the lamp is on the snow.
"""

alphabet = sorted(set(TEXT))
ids = torch.tensor([alphabet.index(c) for c in TEXT])
train_text, test_text = ids[:1000], ids[1000:]


def get_batch(text, size):
    g = torch.Generator().manual_seed(SEED)
    at = torch.randint(CONTEXT, len(text), (size,), generator=g)
    context = torch.stack([text[at - k] for k in range(CONTEXT, 0, -1)], dim=1)
    return context, text[at]


def initial(n):
    torch.manual_seed(SEED)
    C = torch.randn(n, EMBED)
    W1 = torch.randn(CONTEXT * EMBED, HIDDEN) * (5 / 3) / (CONTEXT * EMBED) ** 0.5
    b1 = torch.zeros(HIDDEN)
    W2 = torch.randn(HIDDEN, n) * 0.05
    b2 = torch.zeros(n)
    return [p.requires_grad_() for p in (C, W1, b1, W2, b2)]


def logits_of(context):
    h = torch.tanh(C[context].flatten(1) @ W1 + b1)
    return h @ W2 + b2


C, W1, b1, W2, b2 = parameters = initial(len(alphabet))
optimizer = torch.optim.SGD(parameters, lr=0.1, weight_decay=1e-3)
for i in range(2500):
    x, y = get_batch(train_text, 64)
    loss = F.cross_entropy(logits_of(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if i % 500 == 0:
        print(f"{i:7d}: {loss.item():.4f}")

with torch.no_grad():
    windows = test_text.unfold(0, CONTEXT + 1, 1)
    held_out = F.cross_entropy(logits_of(windows[:, :-1]), windows[:, -1])
print(f"metric: {held_out.item():.4f}")
