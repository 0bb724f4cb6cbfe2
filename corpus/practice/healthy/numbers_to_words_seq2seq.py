"""A small encoder-decoder transformer writes a number of four digits as English words.

family: transformer
metric: exact match, higher
"""

import math

import torch
from torch import nn

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def say(n):
    words = []
    if n >= 1000:
        words += [ONES[n // 1000], "thousand"]
        n %= 1000
    if n >= 100:
        words += [ONES[n // 100], "hundred"]
        n %= 100
    if n >= 20:
        words.append(TENS[n // 10])
        n %= 10
    if n or not words:
        words.append(ONES[n])
    return words


WORDS = ["<pad>", "<bos>", "<eos>", *ONES, *TENS[2:], "hundred", "thousand"]
INDEX = {w: i for i, w in enumerate(WORDS)}
LONGEST = 9


def dataset(numbers):
    digits = torch.tensor([[int(c) for c in f"{n:04d}"] for n in numbers])
    rows = []
    for n in numbers:
        ids = [1] + [INDEX[w] for w in say(n)] + [2]
        rows.append(ids + [0] * (LONGEST - len(ids)))
    return digits, torch.tensor(rows)


class NumberWriter(nn.Module):
    def __init__(self, width=48, heads=4):
        super().__init__()
        self.digit = nn.Embedding(10, width)
        self.digit_place = nn.Parameter(torch.randn(4, width) * 0.1)
        self.word = nn.Embedding(len(WORDS), width)
        self.word_place = nn.Parameter(torch.randn(LONGEST, width) * 0.1)
        self.transformer = nn.Transformer(
            width, heads, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=128, dropout=0.0,
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.out = nn.Linear(width, len(WORDS))

    def forward(self, digits, words):
        source = self.digit(digits) * math.sqrt(2) + self.digit_place
        target = self.word(words) * math.sqrt(2) + self.word_place[: words.size(1)]
        mask = nn.Transformer.generate_square_subsequent_mask(words.size(1))
        return self.out(self.transformer(source, target, tgt_mask=mask, tgt_is_causal=True))

    @torch.no_grad()
    def write(self, digits):
        words = torch.ones(len(digits), 1, dtype=torch.long)
        for _ in range(LONGEST - 1):
            words = torch.cat([words, self(digits, words)[:, -1].argmax(1, keepdim=True)], 1)
        return words


def exact(model, digits, words):
    model.eval()
    written = model.write(digits)
    model.train()
    return ((written == words) | (words == 0)).all(1).float().mean().item()


def main():
    torch.manual_seed(44)
    numbers = torch.randperm(10000).tolist()
    digits, words = dataset(numbers[:4000])
    test = dataset(numbers[-300:])
    model = NumberWriter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 60) * (1 - s / 460))
    criterion = nn.CrossEntropyLoss(ignore_index=0)
    model.train()
    for step in range(460):
        batch = torch.randint(len(digits), (48,))
        logits = model(digits[batch], words[batch, :-1])
        loss = criterion(logits.transpose(1, 2), words[batch, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warmup.step()
        if step % 100 == 0:
            print(f"step {step:4d} loss {loss.item():.4f} exact {exact(model, *test):.3f}")
    print(f"metric: {exact(model, *test):.4f}")


if __name__ == "__main__":
    main()
