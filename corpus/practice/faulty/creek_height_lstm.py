"""Tomorrow's height of a creek from three weeks of rain and heights.

cause: loss-broadcast
family: rnn
metric: R², higher
repair:
    - train_y = torch.tensor(y[:split], dtype=torch.float32)
    + train_y = torch.tensor(y[:split], dtype=torch.float32).unsqueeze(1)
"""

import warnings

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
torch.manual_seed(23)
np.random.seed(23)

WINDOW = 21
days = 2600

# --- data: a bucket that fills with rain and runs out, with a season ---
season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(days) / 365)
rain = np.random.gamma(0.5, 8, days) * (np.random.rand(days) < 0.4) * season
store, height = 20.0, np.zeros(days)
for d in range(days):
    store = store * 0.9 + rain[d]
    height[d] = 0.3 + 0.02 * store + 0.0009 * max(store - 30, 0) ** 2 + 0.02 * np.random.randn()

series = np.stack([np.log1p(rain), height], axis=1)
mean, std = series[:2000].mean(0), series[:2000].std(0)
series = (series - mean) / std
X = np.stack([series[i : i + WINDOW] for i in range(days - WINDOW)])
y = series[WINDOW:, 1]
split = 2000 - WINDOW

train_x = torch.tensor(X[:split], dtype=torch.float32)
train_y = torch.tensor(y[:split], dtype=torch.float32)
test_x = torch.tensor(X[split:], dtype=torch.float32)
test_y = y[split:]
loader = DataLoader(TensorDataset(train_x, train_y), batch_size=32, shuffle=True)


class LSTMModel(nn.Module):
    def __init__(self, input_dim=2, hidden_dim=40, num_layers=1, output_dim=1):
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, num_layers, batch_first=True)
        self.linear = nn.Linear(hidden_dim, output_dim)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1, :])


model = LSTMModel()
criterion = nn.L1Loss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

n_epochs = 10
for epoch in range(n_epochs):
    model.train()
    for X_batch, y_batch in loader:
        y_pred = model(X_batch)
        loss = criterion(y_pred, y_batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Validation
    model.eval()
    with torch.no_grad():
        prediction = model(test_x).numpy().ravel()
    rmse = np.sqrt(np.mean((prediction - test_y) ** 2)) * std[1]
    print(f"Epoch {epoch}: last batch L1 {loss.item():.4f}, test RMSE {rmse:.3f} m")

r2 = 1 - np.mean((prediction - test_y) ** 2) / np.var(test_y)
print(f"metric: {r2:.4f}")
