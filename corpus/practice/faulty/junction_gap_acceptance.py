"""Whether a driver takes the gap at a junction, from the tracks of both cars.

cause: inputs-ignored
family: rnn
metric: accuracy, higher
repair:
    - _, other_state = self.other_encoder(ego)
    + _, other_state = self.other_encoder(other)
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STEPS = 20
DT = 0.1


def tracks(n, generator):
    """The last two seconds of both cars: distance to the junction (m), speed (m/s), acceleration."""

    def uniform(low, high):
        return low + (high - low) * torch.rand(n, 1, generator=generator)

    time = torch.arange(STEPS) * DT
    cars = []
    for far, speed in ((uniform(8, 35), uniform(3, 12)), (uniform(25, 90), uniform(7, 17))):
        acceleration = uniform(-1.5, 1.5)
        v = (speed + acceleration * time).clamp(min=0)
        s = far - torch.cumsum(v, 1) * DT
        noise = torch.randn(n, STEPS, generator=generator)
        cars.append(torch.stack([s + 0.3 * noise, v, acceleration.expand(-1, STEPS)], -1))
    ego, other = cars
    arrival_ego = ego[:, -1, 0].clamp(min=0) / (ego[:, -1, 1] + 2)
    arrival_other = other[:, -1, 0].clamp(min=0) / (other[:, -1, 1] + 2)
    margin = arrival_other - 1.15 * arrival_ego - 0.8 + 0.3 * torch.randn(n, generator=generator)
    return ego, other, (margin > 0).long()


class GapModel(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.ego_encoder = nn.GRU(3, hidden, batch_first=True)
        self.other_encoder = nn.GRU(3, hidden, batch_first=True)
        self.decision = nn.Sequential(nn.Linear(2 * hidden, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))

    def forward(self, ego, other):
        _, ego_state = self.ego_encoder(ego)
        _, other_state = self.other_encoder(ego)
        return self.decision(torch.cat([ego_state[-1], other_state[-1]], dim=1))


if __name__ == "__main__":
    torch.manual_seed(52)
    ego, other, takes = tracks(2600, torch.Generator().manual_seed(52))
    scale = torch.tensor([20.0, 6.0, 1.0])
    ego, other = ego / scale, other / scale
    train_set = TensorDataset(ego[:2000], other[:2000], takes[:2000])
    train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
    model = GapModel()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        model.train()
        total_loss = 0.0
        for batch in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(batch[0], batch[1]), batch[2])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total_loss += loss.item()
        model.eval()
        with torch.no_grad():
            accuracy = (model(ego[2000:], other[2000:]).argmax(1) == takes[2000:]).float().mean().item()
        print(f"Epoch [{epoch + 1}/12], Loss: {total_loss / len(train_loader):.4f}, Val Acc: {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
