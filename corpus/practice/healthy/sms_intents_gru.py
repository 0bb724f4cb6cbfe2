"""A GRU reads short messages to a plumber and tells what the sender wants.

family: rnn
metric: accuracy, higher
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

random.seed(8)
torch.manual_seed(8)

WHO = ["hi", "hello", "good morning", "hey there", "dear sir", ""]
THING = ["tap", "boiler", "sink", "toilet", "shower", "pipe", "radiator", "drain", "washing machine"]
WANTS = {
    "emergency": [
        "the {t} is leaking badly please come now",
        "water everywhere from the {t} help",
        "{t} burst come quick",
    ],
    "quote": [
        "how much to replace a {t}",
        "what would a new {t} cost me",
        "can you give me a price for the {t}",
    ],
    "appointment": ["can you look at my {t} on {d}", "is {d} ok for the {t}", "please book the {t} for {d}"],
    "cancel": [
        "sorry i can not do {d} any more",
        "please cancel the visit for the {t}",
        "no need to come on {d} the {t} works",
    ],
    "thanks": ["the {t} works fine now thank you", "great job with the {t}", "thanks for coming on {d}"],
    "complaint": [
        "the {t} still does not work after {d}",
        "you did not come on {d}",
        "the {t} is worse than before",
    ],
}
DAY = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
FILLER = ["please", "really", "just", "today", "again", "ok", "well", "um"]
INTENTS = list(WANTS)


def message():
    intent = random.randrange(len(INTENTS))
    words = random.choice(WANTS[INTENTS[intent]]).format(t=random.choice(THING), d=random.choice(DAY)).split()
    for _ in range(random.randint(0, 3)):
        words.insert(random.randint(0, len(words)), random.choice(FILLER))
    words = [w for w in words if random.random() > 0.2] or ["ok"]
    return random.choice(WHO).split() + words, intent


data = [message() for _ in range(3500)]
train_data, test_data = data[:2800], data[2800:]
vocabulary = {w: i + 2 for i, w in enumerate(sorted({w for words, _ in train_data for w in words}))}


def collate(batch):
    ids = [torch.tensor([vocabulary.get(w, 1) for w in words]) for words, _ in batch]
    lengths = torch.tensor([len(i) for i in ids])
    return pad_sequence(ids, batch_first=True), lengths, torch.tensor([intent for _, intent in batch])


class Reader(nn.Module):
    def __init__(self, words, width=32, hidden=48):
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(hidden, len(INTENTS))

    def forward(self, ids, lengths):
        states, _ = self.gru(self.embedding(ids))
        last = states[torch.arange(len(ids)), lengths - 1]
        return self.out(self.dropout(last))


train_loader = DataLoader(train_data, batch_size=32, shuffle=True, collate_fn=collate)
test_loader = DataLoader(test_data, batch_size=100, collate_fn=collate)
model = Reader(len(vocabulary) + 2)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(6):
    model.train()
    losses = []
    for ids, lengths, intent in train_loader:
        loss = loss_fn(model(ids, lengths), intent)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    right = 0
    with torch.no_grad():
        for ids, lengths, intent in test_loader:
            right += (model(ids, lengths).argmax(1) == intent).sum().item()
    accuracy = right / len(test_data)
    print(f"epoch {epoch}  loss {sum(losses) / len(losses):.4f}  test accuracy {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
