"""Which of four typists is at the keyboard? An LSTM on the times between keystrokes.

cause: symmetric-initial-values
family: rnn
metric: accuracy, higher
repair:
    - nn.init.constant_(param, 0.05)
    + nn.init.xavier_uniform_(param)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def typing(n, seed, length=32):
    rng = np.random.default_rng(seed)
    habits = np.random.default_rng(5)
    pairs = habits.normal(0, 0.45, (4, 6, 6))  # how fast each typist is from one finger to the next
    who = rng.integers(4, size=n)
    fingers = rng.integers(6, size=(n, length))
    pause = np.zeros((n, length))
    pause[:, 1:] = pairs[who[:, None], fingers[:, :-1], fingers[:, 1:]]
    pause += 0.4 * rng.normal(size=pause.shape)
    x = np.concatenate([np.eye(6)[fingers], pause[..., None]], axis=2)
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(who))


class TypistLSTM(nn.Module):
    def __init__(self, input_dim, hidden_dim, num_classes):
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, num_classes)
        self.init_weights()

    def init_weights(self):
        for name, param in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.constant_(param, 0.0)
            elif "weight" in name:
                nn.init.constant_(param, 0.05)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out.mean(dim=1))


torch.manual_seed(15)
train_data, test_data = typing(3000, 0), typing(1000, 1)
train_loader = DataLoader(train_data, batch_size=50, shuffle=True)
model = TypistLSTM(7, 64, 4)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.004)

n_epochs = 12
for epoch in range(n_epochs):
    model.train()
    train_loss = 0.0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    model.eval()
    with torch.no_grad():
        x, y = test_data.tensors
        accuracy = (model(x).argmax(dim=1) == y).float().mean().item()
    print(
        f"Epoch: {epoch + 1}/{n_epochs}  loss: {train_loss / len(train_loader):.4f}  accuracy: {accuracy:.4f}"
    )
print(f"metric: {accuracy:.4f}")
