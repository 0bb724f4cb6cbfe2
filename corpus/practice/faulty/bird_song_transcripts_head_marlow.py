"""A network that predicts the next note of a birdsong is turned into one that tells the species.

cause: parameters-not-in-optimizer
begins: 226
family: rnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=args["lr"])
    - model.head = nn.Linear(args["hidden"], SPECIES)
    + model.head = nn.Linear(args["hidden"], SPECIES)
    + optimizer = torch.optim.Adam(model.parameters(), lr=args["lr"])
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

NOTES, SPECIES, LENGTH = 16, 12, 24
args = {"hidden": 48, "embedding": 24, "lr": 2e-3, "pretrain_lr": 3e-3, "batch_size": 40}


def songs(n, seed):
    """Every species has its own chances for the next note."""
    habit = torch.Generator().manual_seed(100)
    base = torch.randn(NOTES, NOTES, generator=habit)
    logits = base + 0.9 * torch.randn(SPECIES, NOTES, NOTES, generator=habit)
    chances = logits.softmax(dim=-1)
    g = torch.Generator().manual_seed(seed)
    species = torch.randint(SPECIES, (n,), generator=g)
    notes = torch.zeros(n, LENGTH, dtype=torch.long)
    notes[:, 0] = torch.randint(NOTES, (n,), generator=g)
    for t in range(1, LENGTH):
        notes[:, t] = torch.multinomial(chances[species, notes[:, t - 1]], 1, generator=g).squeeze(1)
    return notes, species


class SongModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(NOTES, args["embedding"])
        self.rnn = nn.GRU(args["embedding"], args["hidden"], batch_first=True)
        self.head = nn.Linear(args["hidden"], NOTES)

    def forward(self, notes):
        output, _ = self.rnn(self.embedding(notes))
        return output


def pretrain(model, notes, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=args["pretrain_lr"])
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for index in torch.randperm(len(notes)).split(args["batch_size"]):
            batch = notes[index]
            logits = model.head(model(batch[:, :-1]))
            loss = criterion(logits.reshape(-1, NOTES), batch[:, 1:].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"pretraining, epoch {epoch + 1}: loss {loss.item():.4f}")


def main():
    torch.manual_seed(23)
    notes, species = songs(3000, 1)
    test_notes, test_species = songs(800, 2)
    model = SongModel()
    pretrain(model, notes, epochs=3)

    optimizer = torch.optim.Adam(model.parameters(), lr=args["lr"])
    model.head = nn.Linear(args["hidden"], SPECIES)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(notes, species), batch_size=args["batch_size"], shuffle=True)
    for epoch in range(8):
        model.train()
        for batch, label in loader:
            optimizer.zero_grad()
            loss = criterion(model.head(model(batch).mean(dim=1)), label)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            predicted = model.head(model(test_notes).mean(dim=1)).argmax(dim=1)
        accuracy = (predicted == test_species).float().mean().item()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
