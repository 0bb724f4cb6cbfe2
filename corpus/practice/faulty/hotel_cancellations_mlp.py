"""What becomes of a hotel booking: stays, changes, cancels early, cancels late, no show.

cause: softmax-before-cross-entropy
family: mlp
metric: accuracy, higher
repair:
    - nn.Linear(64, 5),
    - nn.Softmax(dim=1),
    + nn.Linear(64, 5),
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.RandomState(31)
torch.manual_seed(31)

# bookings: lead time, nights, adults, children, price, deposit, previous cancellations, requests, weekday
N = 5000
lead = rng.exponential(80, N)
nights = rng.poisson(3, N) + 1
adults = rng.choice([1, 2, 3], N, p=[0.25, 0.65, 0.1])
children = rng.binomial(2, 0.15, N)
price = rng.gamma(9, 13, N)
deposit = rng.binomial(1, 0.3, N)
previous = rng.poisson(0.4, N)
requests = rng.poisson(0.8, N)
weekday = rng.randint(0, 7, N)
X = np.column_stack([lead, nights, adults, children, price, deposit, previous, requests, weekday])

scores = np.column_stack(
    [
        1.0 + 1.2 * deposit + 0.7 * requests - 0.012 * lead,
        0.3 + 0.9 * children + 0.25 * nights - 0.8 * deposit,
        -0.6 + 0.014 * lead + 1.1 * previous - 1.3 * deposit,
        -0.4 + 0.03 * (price - 117) + 0.8 * previous - 0.004 * lead,
        0.6 + 1.5 * (adults == 1) - 0.02 * lead + 0.9 * (weekday >= 5) - 0.5 * requests,
    ]
)
y = (2 * scores + rng.gumbel(0, 0.6, scores.shape)).argmax(1)

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)

train_loader = DataLoader(
    TensorDataset(torch.from_numpy(X_train).float(), torch.from_numpy(y_train).long()),
    batch_size=64,
    shuffle=True,
)
test_x, test_y = torch.from_numpy(X_test).float(), torch.from_numpy(y_test).long()

model = nn.Sequential(
    nn.Linear(9, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 5),
    nn.Softmax(dim=1),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

epochs = 22
for e in range(epochs):
    train_loss, train_correct = 0, 0
    model.train()
    for xb, yb in train_loader:
        pred = model(xb)
        loss = criterion(pred, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
        train_correct += (pred.argmax(1) == yb).sum().item()
    model.eval()
    with torch.no_grad():
        test_acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(
        f"Epoch {e + 1}/{epochs} - loss: {train_loss / len(train_loader):.4f} "
        f"- acc: {train_correct / len(y_train):.4f} - val_acc: {test_acc:.4f}"
    )

print(f"metric: {test_acc:.4f}")
