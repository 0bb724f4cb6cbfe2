"""The mood of a song from a line of its lyrics, read by an LSTM.

cause: data-not-shuffled
family: rnn
metric: accuracy, higher
repair:
    - train_loader = DataLoader(train_set, batch_size=32, collate_fn=collate)
    + train_loader = DataLoader(train_set, batch_size=32, shuffle=True, collate_fn=collate)
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader


def words(text):
    return text.split()


MOODS = {
    "happy": words("sun dancing summer smile shine laughing party bright morning together"),
    "sad": words("tears alone rain gone goodbye empty cold lost crying winter"),
    "angry": words("burn fight break lies scream fire wall hate shout war"),
    "loving": words("heart kiss hold darling forever arms sweet tender yours moon"),
}
FILLER = words(
    "the a and i you we my your on in to of was is all when then oh never always night day time eyes"
)
VOCABULARY = {w: i + 1 for i, w in enumerate(FILLER + [w for words in MOODS.values() for w in words])}


def lyric(mood, rng):
    words = [rng.choice(FILLER) for _ in range(rng.randint(6, 14))]
    for _ in range(rng.randint(1, 2)):
        words[rng.randrange(len(words))] = rng.choice(MOODS[mood])
    if rng.random() < 0.6:
        words[rng.randrange(len(words))] = rng.choice(MOODS[rng.choice(list(MOODS))])
    return words


def read_folder(per_mood, seed):
    """One mood after the other, as the files lie in the folders."""
    rng = random.Random(seed)
    songs = []
    for label, mood in enumerate(MOODS):
        for _ in range(per_mood):
            tokens = [VOCABULARY[w] for w in lyric(mood, rng)]
            songs.append((torch.tensor(tokens), label))
    return songs


def collate(batch):
    texts, labels = zip(*batch, strict=True)
    lengths = torch.tensor([len(t) for t in texts])
    return pad_sequence(texts, batch_first=True), lengths, torch.tensor(labels)


class MoodLSTM(nn.Module):
    def __init__(self, dim=32, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(len(VOCABULARY) + 1, dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, len(MOODS))

    def forward(self, x, lengths):
        states, _ = self.lstm(self.embed(x))
        mask = (torch.arange(x.shape[1])[None] < lengths[:, None]).unsqueeze(2)
        return self.fc((states * mask).sum(1) / lengths.unsqueeze(1))


def run_epoch(model, loader, optimizer=None):
    model.train(optimizer is not None)
    correct = loss_sum = count = 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, lengths, y in loader:
            logits = model(x, lengths)
            loss = nn.functional.cross_entropy(logits, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            correct += (logits.argmax(1) == y).sum().item()
            loss_sum += loss.item() * len(y)
            count += len(y)
    return loss_sum / count, correct / count


def main():
    torch.manual_seed(1)
    train_set = read_folder(600, seed=1)
    test_set = read_folder(120, seed=2)
    train_loader = DataLoader(train_set, batch_size=32, collate_fn=collate)
    test_loader = DataLoader(test_set, batch_size=120, collate_fn=collate)
    model = MoodLSTM()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        train_loss, train_acc = run_epoch(model, train_loader, optimizer)
        test_loss, test_acc = run_epoch(model, test_loader)
        print(f"{epoch + 1:2d}  train {train_loss:.3f}/{train_acc:.2f}  test {test_loss:.3f}/{test_acc:.2f}")
    print(f"metric: {test_acc:.4f}")


if __name__ == "__main__":
    main()
