"""The faculty of a thesis from its title, an LSTM over word numbers with heavy dropout.

cause: underfitting
family: rnn
metric: accuracy, higher
repair:
    - EMBED, HIDDEN, DROPOUT = 4, 4, 0.7
    + EMBED, HIDDEN, DROPOUT = 32, 48, 0.3
"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

EMBED, HIDDEN, DROPOUT = 4, 4, 0.7

TOPICS = {
    "law": "liability treaty tenant contract custody statute verdict evidence appeal copyright",
    "medicine": "therapy insulin lesions anaesthesia cohort dosage fracture infection sepsis retina",
    "physics": "quantum lattice plasma neutrino laser spin scattering vacuum phonon detector",
    "history": "empire guild monastery peasants archive dynasty siege revolt chronicle crusade",
    "economics": "inflation labour tariff monetary auction household credit wages market subsidy",
    "biology": "genome enzyme pollinator membrane plankton mutation habitat fungi larvae yeast",
    "music": "sonata motet timbre opera counterpoint cantata rhythm violin choir tuning",
    "engineering": "turbine fatigue bridge welding actuator valve concrete combustion bearing sensor",
}
COMMON = (
    "a study of the in and on for with new approach analysis role effects early modern model case".split()
)
NAMES = list(TOPICS)


def sample_title(k):
    own = TOPICS[NAMES[k]].split()
    title = []
    for _ in range(random.randint(5, 11)):
        u = random.random()
        if u < 0.24:
            title.append(random.choice(own))
        elif u < 0.36:
            title.append(random.choice(TOPICS[random.choice(NAMES)].split()))
        else:
            title.append(random.choice(COMMON))
    return title


class TitleClassifier(nn.Module):
    def __init__(self, vocab_size, num_classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, EMBED, padding_idx=0)
        self.dropout = nn.Dropout(DROPOUT)
        self.lstm = nn.LSTM(EMBED, HIDDEN, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * HIDDEN, num_classes)

    def forward(self, tokens):
        embedded = self.dropout(self.embedding(tokens))
        output, _ = self.lstm(embedded)
        pooled = output.max(dim=1).values
        return self.fc(self.dropout(pooled))


def collate(batch):
    tokens = pad_sequence([torch.tensor(t) for t, _ in batch], batch_first=True)
    return tokens, torch.tensor([y for _, y in batch])


def evaluate(model, loader):
    model.eval()
    correct = count = 0
    with torch.no_grad():
        for tokens, y in loader:
            correct += (model(tokens).argmax(1) == y).sum().item()
            count += len(y)
    return correct / count


def main():
    random.seed(61)
    torch.manual_seed(61)
    vocab = {"<pad>": 0}
    for text in [*TOPICS.values(), " ".join(COMMON)]:
        for word in text.split():
            vocab.setdefault(word, len(vocab))
    data = []
    for i in range(3500):
        k = i % len(NAMES)
        data.append(([vocab[w] for w in sample_title(k)], k))
    random.shuffle(data)
    train_loader = DataLoader(data[:2800], batch_size=50, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(data[2800:], batch_size=350, collate_fn=collate)
    model = TitleClassifier(len(vocab), len(NAMES))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        model.train()
        total_loss = 0
        for tokens, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(tokens), y)
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        acc = evaluate(model, test_loader)
        print(
            f"Epoch: {epoch + 1:02} | Train loss: {total_loss / len(train_loader):.3f} | Test acc: {acc:.3f}"
        )
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
