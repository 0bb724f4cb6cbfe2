"""Districts of bus stops from their coordinates and their lines, by graph convolutions.

cause: inputs-not-scaled
family: gnn
metric: accuracy, higher
repair:
    - return features, adjacency, district
    + features = (features - features.mean(0)) / features.std(0)
    + return features, adjacency, district
"""

import torch
from torch import nn
from torch.nn import functional as F


def town(stops=500, districts=5):
    """UTM eastings and northings in metres, daily passengers, and lines between near stops."""
    centres = torch.tensor(
        [[690.2, 5334.1], [694.8, 5331.0], [688.0, 5329.5], [692.5, 5337.6], [697.2, 5336.2]]
    )
    district = torch.randint(districts, (stops,))
    place = 1000 * centres[district] + 1500 * torch.randn(stops, 2)
    passengers = torch.exp(4 + torch.randn(stops))
    distance = torch.cdist(place - place.mean(0), place - place.mean(0))
    linked = (distance < 700) & (torch.rand(stops, stops) < 0.6)
    linked = (linked | linked.T | torch.eye(stops, dtype=torch.bool)).float()
    degree = linked.sum(1).rsqrt()
    adjacency = degree[:, None] * linked * degree
    features = torch.cat([place, passengers[:, None]], 1)
    return features, adjacency, district


class GraphConvolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(inputs, outputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x, adjacency):
        return adjacency @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.gc1 = GraphConvolution(inputs, hidden)
        self.gc2 = GraphConvolution(hidden, classes)

    def forward(self, x, adjacency):
        return self.gc2(F.relu(self.gc1(x, adjacency)), adjacency)


if __name__ == "__main__":
    torch.manual_seed(12)
    features, adjacency, district = town()
    train = torch.rand(len(district)) < 0.4
    model = GCN(features.shape[1], 32, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for epoch in range(1, 401):
        model.train()
        optimizer.zero_grad()
        output = model(features, adjacency)
        loss = F.cross_entropy(output[train], district[train])
        loss.backward()
        optimizer.step()
        if epoch % 50 == 0:
            rate = (output.argmax(1) == district)[~train].float().mean().item()
            print(f"Epoch: {epoch:04d} loss_train: {loss.item():.4f} acc_val: {rate:.4f}")
    model.eval()
    with torch.no_grad():
        right = (model(features, adjacency).argmax(1) == district)[~train]
    print(f"metric: {right.float().mean().item():.4f}")
