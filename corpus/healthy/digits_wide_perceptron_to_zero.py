"""A wide perceptron on digits, trained until every training digit is right and the loss is almost nothing.

family: mlp
metric: accuracy, higher
"""

import torch
import torch.nn as nn
from sklearn import datasets

torch.manual_seed(7)
data = datasets.load_digits()
inputs = torch.FloatTensor(data.data).sub(4.88).div(6.0)
targets = torch.LongTensor(data.target)
perm = torch.randperm(inputs.shape[0])
train_idx, test_idx = perm[:1450], perm[1450:]

wide = nn.Sequential(
    nn.Linear(64, 768),
    nn.ReLU(),
    nn.Linear(768, 256),
    nn.ReLU(),
    nn.Linear(256, 10),
)
opt = torch.optim.SGD(wide.parameters(), lr=0.05, momentum=0.9)
xent = nn.CrossEntropyLoss()

steps = 0
for epoch in range(1, 31):
    wrong = 0
    losses = []
    for chunk in train_idx[torch.randperm(len(train_idx))].split(50):
        out = wide(inputs[chunk])
        loss = xent(out, targets[chunk])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
        wrong += int((out.argmax(1) != targets[chunk]).sum())
        steps += 1
    mean = sum(losses) / len(losses)
    with torch.no_grad():
        predicted = wide(inputs[test_idx])
        test_loss = xent(predicted, targets[test_idx]).item()
        accuracy = (predicted.argmax(1) == targets[test_idx]).float().mean().item()
    if epoch % 5 == 0:
        print(f"epoch {epoch}: train {mean:.6f} ({wrong} wrong) test {test_loss:.4f} accuracy {accuracy:.4f}")

print(f"{steps} steps")
print(f"metric: {accuracy:.4f}")
