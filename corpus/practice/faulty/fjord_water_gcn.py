"""The salinity at the stations of a fjord from their neighbours, by graph convolutions.

cause: evaluating-in-train-mode
begins: 51
family: gnn
metric: R², higher
repair:
    - history.append(score(net, graph_test))
    + net.eval()
    + history.append(score(net, graph_test))
"""

import numpy as np
import torch
import torch.nn as nn

STATIONS = 60


def fjord(seed=4):
    rng = np.random.default_rng(seed)
    s = np.sort(rng.uniform(0, 1, STATIONS))
    place = np.stack([s, 0.15 * np.sin(5 * s) + rng.normal(0, 0.05, STATIONS)], 1)
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    near = np.argsort(distance, 1)[:, :6]
    adjacency = np.zeros((STATIONS, STATIONS))
    adjacency[np.arange(STATIONS)[:, None], near] = 1
    adjacency = np.maximum(adjacency, adjacency.T)
    return place, adjacency / adjacency.sum(1, keepdims=True)


def days(n, place, mix, seed):
    rng = np.random.default_rng(seed)
    river, wind, tide = rng.gamma(2, 0.5, n), rng.normal(0, 1, n), rng.normal(0, 1, n)
    depth = rng.uniform(0.2, 1, (n, STATIONS))
    runoff = river[:, None] * np.exp(-3 * place[:, 0]) * rng.uniform(0.3, 1.7, (n, STATIONS))
    local = runoff @ mix.T @ mix.T
    salinity = (
        33
        - 8 * local / depth**0.5
        + 0.8 * tide[:, None] * place[:, 0]
        + 0.5 * wind[:, None] * place[:, 1] * 5
    )
    salinity += rng.normal(0, 0.3, salinity.shape)
    full = np.broadcast_to
    x = np.stack([runoff, depth, full(tide[:, None], depth.shape), full(wind[:, None], depth.shape),
                  full(place[:, 0], depth.shape), full(place[:, 1], depth.shape)], -1)  # fmt: skip
    return torch.tensor(x, dtype=torch.float32), torch.tensor((salinity - 30) / 4, dtype=torch.float32)


class GraphLayer(nn.Module):
    def __init__(self, a, b, mix, p):
        super().__init__()
        self.own, self.others = nn.Linear(a, b), nn.Linear(a, b, bias=False)
        self.drop = nn.Dropout(p)
        self.register_buffer("mix", mix)

    def forward(self, h):
        return self.drop(torch.relu(self.own(h) + self.others(self.mix @ h)))


class FjordNet(nn.Module):
    def __init__(self, mix, width=32, p=0.2):
        super().__init__()
        self.layers = nn.Sequential(GraphLayer(6, width, mix, p), GraphLayer(width, width, mix, p))
        self.readout = nn.Linear(width, 1)

    def forward(self, x):
        return self.readout(self.layers(x)).squeeze(-1)


def score(net, data):
    x, y = data
    with torch.no_grad():
        return 1 - ((net(x) - y) ** 2).mean().item() / y.var().item()


place, adjacency = fjord()
mix = torch.tensor(adjacency, dtype=torch.float32)
graph_train, graph_test = days(900, place, adjacency, 5), days(250, place, adjacency, 6)
torch.manual_seed(4)
net = FjordNet(mix)
opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
history = []
for epoch in range(14):
    net.train()
    for idx in torch.randperm(900).split(18):
        loss = nn.functional.mse_loss(net(graph_train[0][idx]), graph_train[1][idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    history.append(score(net, graph_test))
    print(f"epoch {epoch:2d}  loss {loss.item():.4f}  R2 {history[-1]:.4f}")
print(f"metric: {history[-1]:.4f}")
