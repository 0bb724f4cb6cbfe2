"""From which of nine kinds of glass a splinter at the scene comes.

cause: softmax-before-cross-entropy
family: mlp
metric: accuracy, higher
repair:
    - nn.Linear(48, 9),
    - nn.Softmax(dim=1),
    + nn.Linear(48, 9),
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(61)
torch.manual_seed(61)

# refractive index and oxides: Na, Mg, Al, Si, K, Ca, Ba, Fe
centres = np.random.normal(0, 1.0, (9, 2, 9))
kind = np.random.choice(9, 4500, p=[0.2, 0.18, 0.14, 0.12, 0.1, 0.08, 0.07, 0.06, 0.05])
maker = np.random.randint(0, 2, 4500)
X = centres[kind, maker] + 0.75 * np.random.normal(0, 1, (4500, 9)) @ (np.eye(9) + 0.2)
X = X * np.array([0.003, 0.8, 1.4, 0.5, 0.8, 0.6, 1.4, 0.5, 0.1]) + [
    1.518,
    13.4,
    2.7,
    1.4,
    72.6,
    0.5,
    8.9,
    0.2,
    0.06,
]

X_train, X_test, y_train, y_test = train_test_split(X, kind, test_size=0.2, random_state=61, stratify=kind)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)

train_ds = TensorDataset(torch.FloatTensor(X_train), torch.LongTensor(y_train))
train_dl = DataLoader(train_ds, batch_size=32, shuffle=True)
X_test, y_test = torch.FloatTensor(X_test), torch.LongTensor(y_test)

model = nn.Sequential(
    nn.Linear(9, 96),
    nn.ReLU(),
    nn.Linear(96, 48),
    nn.ReLU(),
    nn.Linear(48, 9),
    nn.Softmax(dim=1),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

history = {"loss": [], "val_acc": []}
for epoch in range(16):
    model.train()
    running = 0.0
    for xb, yb in train_dl:
        optimizer.zero_grad()
        out = model(xb)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        pred = model(X_test).argmax(dim=1)
        acc = (pred == y_test).float().mean().item()
    history["loss"].append(running / len(train_dl))
    history["val_acc"].append(acc)
    print(f"Epoch {epoch + 1}/16 - loss: {history['loss'][-1]:.4f} - val_acc: {acc:.4f}")

print(f"metric: {history['val_acc'][-1]:.4f}")
