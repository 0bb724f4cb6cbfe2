"""Tomorrow's water temperature in a bay from the last three weeks, with an LSTM.

cause: learning-rate-too-low
family: rnn
metric: root mean squared error in degrees, lower
repair:
    - learning_rate = 2e-5
    + learning_rate = 2e-3
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.preprocessing import MinMaxScaler
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(12)
torch.manual_seed(12)

# ten years of daily temperatures
days = np.arange(3650)
weather = np.zeros(3650)
for i in range(1, 3650):
    weather[i] = 0.9 * weather[i - 1] + np.random.normal(0, 0.35)
temperature = (
    13 - 5.5 * np.cos(2 * np.pi * (days - 40) / 365.25) + weather + 0.6 * np.sin(2 * np.pi * days / 14.77)
)

seq_len = 21
train_size = 2900
scaler = MinMaxScaler((-1, 1))
scaler.fit(temperature[:train_size, None])
scaled = scaler.transform(temperature[:, None])


def create_sequences(data):
    xs, ys = [], []
    for i in range(len(data) - seq_len):
        xs.append(data[i : i + seq_len])
        ys.append(data[i + seq_len])
    return torch.tensor(np.array(xs), dtype=torch.float32), torch.tensor(np.array(ys), dtype=torch.float32)


X_train, y_train = create_sequences(scaled[:train_size])
X_test, y_test = create_sequences(scaled[train_size - seq_len :])


class LSTMModel(nn.Module):
    def __init__(self, input_size=1, hidden_size=48, num_layers=2, output_size=1):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, output_size)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        out, _ = self.lstm(x, (h0, c0))
        return self.fc(out[:, -1, :])


learning_rate = 2e-5
num_epochs = 12

model = LSTMModel()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)

for epoch in range(num_epochs):
    model.train()
    losses = []
    for xb, yb in loader:
        pred = model(xb)
        loss = criterion(pred, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"Epoch [{epoch + 1}/{num_epochs}], Loss: {np.mean(losses):.5f}")

model.eval()
with torch.no_grad():
    forecast = scaler.inverse_transform(model(X_test).numpy())
actual = scaler.inverse_transform(y_test.numpy())
rmse = np.sqrt(np.mean((forecast - actual) ** 2))
print(f"metric: {rmse:.4f}")
