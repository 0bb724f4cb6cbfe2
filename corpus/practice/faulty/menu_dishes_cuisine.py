"""The cuisine of a dish from its line on the menu: word embeddings, averaged.

cause: inputs-ignored
family: embedding
metric: accuracy, higher
repair:
    - mask = tokens.eq(PAD).unsqueeze(-1).float()
    + mask = tokens.ne(PAD).unsqueeze(-1).float()
"""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PAD = 0


def words(text):
    return text.split()


CUISINES = {
    "italian": words("basil tomato risotto ravioli parmesan gnocchi pancetta mozzarella polenta pesto"),
    "japanese": words("miso dashi udon tempura nori wasabi ramen katsu edamame yuzu"),
    "mexican": words("tortilla jalapeno mole cilantro taco beans chipotle avocado salsa corn"),
    "indian": words("paneer masala turmeric naan dal tandoori chutney basmati ghee cardamom"),
    "french": words("gratin shallot brie tarragon crepe duck bouillon leek cassoulet mustard"),
}
ANY = words("with fresh grilled sauce house chicken pork fish rice noodles soup spicy of and on warm")
WORDS = ["<pad>", *ANY, *(w for words in CUISINES.values() for w in words)]
INDEX = {word: i for i, word in enumerate(WORDS)}
LENGTH = 12


def dish(cuisine, rng):
    own, others = CUISINES[cuisine], [w for ws in CUISINES.values() for w in ws]
    line = [rng.choice(ANY) for _ in range(rng.randint(2, 7))]
    line += [rng.choice(own) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.4:
        line.append(rng.choice(others))
    rng.shuffle(line)
    return [INDEX[w] for w in line] + [PAD] * (LENGTH - len(line))


def menu(n, seed):
    rng = random.Random(seed)
    names = list(CUISINES)
    labels = [rng.randrange(len(names)) for _ in range(n)]
    return TensorDataset(torch.tensor([dish(names[k], rng) for k in labels]), torch.tensor(labels))


class DishClassifier(nn.Module):
    def __init__(self, dim=50, hidden=64):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), dim)
        self.dropout = nn.Dropout(0.2)
        self.hidden = nn.Linear(dim, hidden)
        self.out = nn.Linear(hidden, len(CUISINES))

    def forward(self, tokens):
        mask = tokens.eq(PAD).unsqueeze(-1).float()
        vectors = self.embedding(tokens) * mask
        mean = vectors.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return self.out(torch.relu(self.hidden(self.dropout(mean))))


def train(model, loader, optimizer, criterion):
    model.train()
    total_loss = 0
    for tokens, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    return total_loss / len(loader)


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for tokens, labels in loader:
            correct += (model(tokens).argmax(dim=1) == labels).sum().item()
    return correct / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(menu(3000, 1), batch_size=50, shuffle=True)
    test_loader = DataLoader(menu(800, 2), batch_size=200)
    model = DishClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(1, 21):
        loss = train(model, train_loader, optimizer, criterion)
        if epoch % 2 == 0:
            print(f"Epoch {epoch}: loss {loss:.4f}, test accuracy {test(model, test_loader):.4f}")
    print(f"metric: {test(model, test_loader):.4f}")
