"""Which language a phrase is in, from its letter trigrams, by an embedding bag.

family: embedding
metric: accuracy, higher
"""

import random
import zlib

import torch
from torch import nn
from torch.utils.data import DataLoader

WORDS = {
    "english": """
        the and that have with this from they would there their what about which when make like time
        just know people into year your good some could them other than then look only come over
        think also back after work first well even want because these give most water house through
        night little where""",
    "german": """
        der die und nicht das ist ich mit sich des auf für als auch werden aus hat dass sie nach
        wird bei einer um am sind noch wie einem über einen so zum haben nur oder aber vor zur bis
        mehr durch man sein wurde wasser haus nacht immer zwischen schon wenn habe seine weil""",
    "french": """
        les des est que une dans qui pas pour sur plus avec son tout nous mais comme leur bien sans
        être cette fait aussi même deux ces dit encore temps peut elle quand donc après moins avant
        monde jour homme toujours petite rien chose maison jamais vous autre""",
    "spanish": """
        los las que del una por con para como más pero sus todo esta entre cuando muy sin sobre
        también me hasta hay donde quien desde nos durante todos uno les ni contra otros ese eso
        había ante ellos tiempo año casa siempre agua mismo noche mejor vida mujer""",
    "finnish": """
        että hän olla mutta kuin niin myös jos joka kun mitä sitten vain nyt vielä minun hänen siitä
        kanssa mukaan ennen kaikki oli ollut ovat sekä jälkeen vuonna suomen koko eikä joita muun
        yksi päivä talo vesi ilma aina kuitenkin jotka tämä kuten""",
}
NAMES = list(WORDS)
BUCKETS = 1500


def trigrams(phrase):
    padded = f"  {phrase} "
    return [zlib.crc32(padded[i : i + 3].encode()) % BUCKETS for i in range(len(padded) - 2)]


def phrases(count, vocabulary, rng, typos):
    found = []
    for _ in range(count):
        language = rng.randrange(len(NAMES))
        words = rng.choices(vocabulary[NAMES[language]], k=rng.randint(1, 3))
        grams = trigrams(" ".join(words))
        if typos:
            grams = [g for g in grams if rng.random() > 0.4] or grams
        found.append((grams, language))
    return found


def collate(batch):
    lengths = torch.tensor([0] + [len(grams) for grams, _ in batch[:-1]])
    flat = torch.tensor([gram for grams, _ in batch for gram in grams])
    return flat, lengths.cumsum(0), torch.tensor([language for _, language in batch])


class Guesser(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.bag = nn.EmbeddingBag(BUCKETS, dim, mode="mean")
        nn.init.normal_(self.bag.weight, std=0.3)
        self.out = nn.Linear(dim, len(NAMES))

    def forward(self, grams, offsets):
        return self.out(self.bag(grams, offsets))


def main():
    rng = random.Random(25)
    torch.manual_seed(25)
    known, unknown = {}, {}
    for name, text in WORDS.items():
        words = sorted(set(text.split()))
        rng.shuffle(words)
        unknown[name], known[name] = words[:5], words[5:]
    train = DataLoader(phrases(3000, known, rng, True), batch_size=32, shuffle=True, collate_fn=collate)
    mixed = {name: known[name] + unknown[name] for name in NAMES}
    test = DataLoader(phrases(1000, mixed, rng, False), batch_size=500, collate_fn=collate)

    model = Guesser()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05, weight_decay=1e-5)
    for epoch in range(5):
        total = 0.0
        for grams, offsets, language in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(grams, offsets), language)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(train):.4f}")
    right = 0
    with torch.no_grad():
        for grams, offsets, language in test:
            right += (model(grams, offsets).argmax(1) == language).sum().item()
    print(f"metric: {right / 1000:.4f}")


if __name__ == "__main__":
    main()
