"""Year numbers into Roman numerals, with an encoder and a decoder after the well-known tutorial.

cause: missing-zero-grad
begins: 4
family: seq2seq
metric: character accuracy, higher
repair:
    - encoder_optimizer.zero_grad(), encoder_optimizer.zero_grad()
    + encoder_optimizer.zero_grad(), decoder_optimizer.zero_grad()
"""

import random

import torch
import torch.nn as nn
from torch import optim

SOS, EOS, PAD = 0, 1, 2
NUMERALS = "IVXLCDM"
MAX_OUT = 17


def roman(n):
    out = ""
    for value, sign in [
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
        (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ]:  # fmt: skip
        while n >= value:
            out += sign
            n -= value
    return out


def tensors(numbers):
    source = torch.tensor([[int(c) for c in f"{n:04d}"] for n in numbers])
    target = torch.full((len(numbers), MAX_OUT), PAD)
    for i, n in enumerate(numbers):
        ids = [3 + NUMERALS.index(c) for c in roman(n)] + [EOS]
        target[i, : len(ids)] = torch.tensor(ids)
    return source, target


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, source):
        return self.gru(self.embedding(source))


class DecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.attn = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(2 * hidden_size, output_size)

    def forward(self, tokens, hidden, encoder_outputs):
        output, hidden = self.gru(self.embedding(tokens), hidden)
        weights = torch.softmax(self.attn(output) @ encoder_outputs.transpose(1, 2), dim=-1)
        return self.out(torch.cat([output, weights @ encoder_outputs], dim=-1)), hidden


def train_step(source, target, encoder, decoder, encoder_optimizer, decoder_optimizer, criterion):
    encoder_optimizer.zero_grad(), encoder_optimizer.zero_grad()

    encoder_outputs, hidden = encoder(source)
    decoder_input = torch.cat([torch.full((len(source), 1), SOS), target[:, :-1]], dim=1)
    logits, _ = decoder(decoder_input, hidden, encoder_outputs)
    loss = criterion(logits.reshape(-1, logits.size(-1)), target.reshape(-1))
    loss.backward()

    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item()


@torch.no_grad()
def evaluate(source, target, encoder, decoder):
    encoder_outputs, hidden = encoder(source)
    token = torch.full((len(source), 1), SOS)
    right = total = 0
    for t in range(MAX_OUT):
        logits, hidden = decoder(token, hidden, encoder_outputs)
        token = logits.argmax(-1)
        mask = target[:, t] != PAD
        right += (token[:, 0] == target[:, t])[mask].sum().item()
        total += mask.sum().item()
    return right / total


if __name__ == "__main__":
    torch.manual_seed(44)
    numbers = list(range(1, 4000))
    random.Random(44).shuffle(numbers)
    source, target = tensors(numbers)
    encoder, decoder = EncoderRNN(10, 64), DecoderRNN(64, 3 + len(NUMERALS))
    encoder_optimizer = optim.Adam(encoder.parameters(), lr=2e-3)
    decoder_optimizer = optim.Adam(decoder.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    running = 0.0
    for it in range(1, 501):
        pick = torch.randint(0, 3400, (64,))
        running += train_step(
            source[pick], target[pick], encoder, decoder, encoder_optimizer, decoder_optimizer, criterion
        )
        if it % 50 == 0:
            print(f"{it} ({it / 5:.0f}%) {running / 50:.4f}")
            running = 0.0
    print(f"metric: {evaluate(source[3400:], target[3400:], encoder, decoder):.4f}")
