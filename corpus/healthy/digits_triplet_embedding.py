"""An embedding of handwritten digits by triplets: the nearest neighbour tells which digit it is.

family: siamese
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(31)


def sample_triplets(labels, count):
    """An anchor, another of its class, one of a different class."""
    anchor = torch.randint(0, len(labels), (count,))
    same = labels[anchor][:, None] == labels[None, :]
    same[torch.arange(count), anchor] = False
    positive = torch.multinomial(same.float(), 1).squeeze(1)
    different = labels[anchor][:, None] != labels[None, :]
    negative = torch.multinomial(different.float(), 1).squeeze(1)
    return anchor, positive, negative


images, labels = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels), test_size=0.3, random_state=5
)

encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 12))
criterion = nn.TripletMarginLoss(margin=1.0)
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3, weight_decay=1e-5)

for step in range(1, 901):
    anchor, positive, negative = sample_triplets(y_train, 48)
    codes = encoder(x_train[torch.cat([anchor, positive, negative])])
    loss = criterion(*codes.chunk(3))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 150 == 0:
        print(f"triplet loss {loss.item():.5f} after {step} steps")

with torch.no_grad():
    nearest = torch.cdist(encoder(x_test), encoder(x_train)).topk(5, largest=False).indices
    votes = y_train[nearest].mode(dim=1).values
print(f"metric: {(votes == y_test).float().mean().item():.4f}")
