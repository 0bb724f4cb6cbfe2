"""Topic of a support chat, twenty topics, with a bidirectional LSTM.

cause: softmax-before-cross-entropy
family: rnn
metric: accuracy, higher
repair:
    - return self.softmax(self.fc(self.dropout(hidden)))
    + return self.fc(self.dropout(hidden))
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

rng = np.random.default_rng(13)
torch.manual_seed(13)

N_TOPICS, VOCAB, LENGTH = 20, 500, 18
topic_words = rng.permutation(VOCAB)[: N_TOPICS * 15].reshape(N_TOPICS, 15)


def make_chats(n):
    topics = rng.integers(N_TOPICS, size=n)
    chats = rng.integers(VOCAB, size=(n, LENGTH))
    on_topic = rng.random((n, LENGTH)) < 0.3
    picked = topic_words[topics[:, None], rng.integers(15, size=(n, LENGTH))]
    chats = np.where(on_topic, picked, chats)
    return torch.from_numpy(chats), torch.from_numpy(topics)


class BiLSTM(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim, output_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(hidden_dim * 2, output_dim)
        self.dropout = nn.Dropout(0.2)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, text):
        embedded = self.dropout(self.embedding(text))
        _, (hidden, _) = self.lstm(embedded)
        hidden = torch.cat((hidden[-2], hidden[-1]), dim=1)
        return self.softmax(self.fc(self.dropout(hidden)))


train_x, train_y = make_chats(4000)
test_x, test_y = make_chats(1000)
model = BiLSTM(VOCAB, 64, 48, N_TOPICS)
optimizer = optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
batch_size = 64

for epoch in range(10):
    model.train()
    order = torch.randperm(len(train_x))
    epoch_loss, epoch_acc = 0, 0
    for i in range(0, len(order), batch_size):
        idx = order[i : i + batch_size]
        optimizer.zero_grad()
        predictions = model(train_x[idx])
        loss = criterion(predictions, train_y[idx])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(idx)
        epoch_acc += (predictions.argmax(1) == train_y[idx]).sum().item()
    model.eval()
    with torch.no_grad():
        test_acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(f"Epoch: {epoch + 1:02}")
    print(f"\tTrain Loss: {epoch_loss / 4000:.3f} | Train Acc: {epoch_acc / 4000 * 100:.2f}%")
    print(f"\t Test Acc: {test_acc * 100:.2f}%")
print(f"metric: {test_acc:.4f}")
