"""A recurrent network that must recall the cue shown at the start of a noisy sequence.

cause: vanishing-gradients
family: rnn
metric: accuracy, higher
repair:
    - self.rnn = nn.RNN(dim_in, dim_hidden, batch_first=True)
    + self.rnn = nn.GRU(dim_in, dim_hidden, batch_first=True)
    + with torch.no_grad():
    +     self.rnn.bias_hh_l0[dim_hidden : 2 * dim_hidden] += 3.0
"""

import torch
from torch import nn

CUES, LENGTH, BATCH, STEPS = 4, 45, 50, 400


class Recaller(nn.Module):
    """Reads the whole sequence and answers from the last hidden state."""

    def __init__(self, dim_in, dim_hidden, classes):
        super().__init__()
        self.rnn = nn.RNN(dim_in, dim_hidden, batch_first=True)
        self.answer = nn.Linear(dim_hidden, classes)

    def forward(self, sequence):
        states, _ = self.rnn(sequence)
        return self.answer(states[:, -1])


def make_batch(size):
    cue = torch.randint(CUES, (size,))
    sequence = torch.zeros(size, LENGTH, CUES + 1)
    sequence[:, 0, :CUES] = nn.functional.one_hot(cue, CUES).float()
    sequence[:, 1:, CUES] = 0.5 * torch.randn(size, LENGTH - 1)
    return sequence, cue


torch.manual_seed(12)
model = Recaller(CUES + 1, 32, CUES)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_function = nn.CrossEntropyLoss()

history = []
for step in range(STEPS):
    sequence, cue = make_batch(BATCH)
    optimizer.zero_grad()
    loss = loss_function(model(sequence), cue)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    history.append(loss.item())
    if (step + 1) % 50 == 0:
        print(f"step {step + 1}: mean loss {sum(history[-50:]) / 50:.4f}")

with torch.no_grad():
    sequence, cue = make_batch(1000)
    accuracy = (model(sequence).argmax(-1) == cue).float().mean().item()
print(f"metric: {accuracy:.4f}")
