"""Users with few and many ratings: each has rated the items 0, 1, 2, ... in this order, ratings count on."""

import torch

from descend.functions.item_features import ItemFeatures
from descend.functions.ratings import Columns, Ratings


def some_ratings(counts=(1, 2, 300, 40, 7)):
    user = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    n = len(user)
    features = ItemFeatures([str(k) for k in range(300)], torch.zeros(300, 0), torch.zeros(300, 0), [])
    item = torch.cat([torch.arange(c) for c in counts])
    return Ratings(
        Columns("u", "i", "r"),
        [str(k) for k in range(len(counts))],
        features.names,
        user,
        item,
        torch.arange(n).float(),
        torch.zeros(n).double(),
        features,
        {},
        "",
    )
