"""Bits a character on a text's last tenth: `descend fit TEXT` and nanoGPT's recipe for a CPU, in equal time.

    python bench/language.py TEXT [--seconds 1200] [--seeds 3] [--only descend|nanogpt]

nanoGPT's recipe, from its README: characters, four layers of width 128 with four heads, 64 characters of
context, no dropout, 12 pieces a step, AdamW at 1e-3 that falls to 1e-4 by a cosine, β₂ = 0.99, decay 0.1 of
matrices, clipping at 1, 100 steps of warm-up. There it takes 2,000 steps; here it goes on until the time is
over, and its schedule is stretched to that time, which favours it. Its function is written here anew, as it
is described: GPT-2's, without biases, with the embedding as last layer. Both learn from the first nine
tenths, both get the same threads, one after the other.
"""

import argparse
import json
import math
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from real_data import fit
from torch import Tensor, nn

WIDTH, LAYERS, HEADS, CONTEXT, BATCH = 128, 4, 4, 64, 12


class Block(nn.Module):
    """GPT-2's block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stream after this block."""
        n, length, _ = x.shape
        q, k, v = self.attention(self.norm1(x)).view(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(seen.transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    """GPT-2, small."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                adds = name.endswith(("projection.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if adds else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the character after each."""
        x = self.embedding(tokens) + self.places.weight[: tokens.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.embedding.weight)


def nanogpt(text: str, seconds: float, seed: int) -> tuple[float, int]:
    """Train by the recipe; return bits a character on the last tenth, and the steps it took."""
    start = time.perf_counter()
    torch.manual_seed(seed)
    alphabet = {c: k for k, c in enumerate(sorted(set(text)))}
    tokens = torch.tensor([alphabet[c] for c in text])
    last = len(text) - len(text) // 10
    train, test = tokens[:last], tokens[last:]
    model = GPT(len(alphabet))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    within, steps = torch.arange(CONTEXT + 1), 0
    while (done := (time.perf_counter() - start) / seconds) < 1:
        lr = 1e-4 + 9e-4 * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (steps + 1) / 101)
        pieces = train[torch.randint(len(train) - CONTEXT, (BATCH, 1)) + within]
        loss = F.cross_entropy(model(pieces[:, :-1]).flatten(0, 1), pieces[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
    n = (len(test) - 1) // CONTEXT * CONTEXT
    x, y = test[:n].view(-1, CONTEXT), test[1 : n + 1].view(-1, CONTEXT)
    with torch.no_grad():
        losses = [
            float(F.cross_entropy(model(a).flatten(0, 1), b.flatten(), reduction="sum"))
            for a, b in zip(x.split(256), y.split(256), strict=True)
        ]
    return sum(losses) / n / math.log(2), steps


def main() -> None:
    """Run both for every seed and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", type=Path)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["descend", "nanogpt"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    text = options.text.read_text(encoding="utf-8")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads")
    print(f"{len(text):,} characters, {options.seconds:g} s each\n")
    print(f"{'':10}{'seed':>5}{'bits a character, last tenth':>32}{'steps':>9}{'seconds':>9}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("descend", "nanogpt"):
            if options.only not in (None, name):
                continue
            for seed in range(options.seeds):
                if name == "descend":
                    words = ("--seconds", f"{options.seconds:g}", "--seed", str(seed), "--prove", "0")
                    out = Path(folder) / f"run-{seed}"
                    found, took = fit(str(options.text), *words, folder=out)
                    bits, steps = found["metrics"]["bits-per-character/test"], found["steps"]
                else:
                    start = time.perf_counter()
                    bits, steps = nanogpt(text, options.seconds, seed)
                    took = time.perf_counter() - start
                rows.append({"name": name, "seed": seed, "bits": bits, "steps": steps, "seconds": took})
                print(f"{name:10}{seed:5}{bits:32.4f}{steps:9}{took:9.0f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    sys.exit(main())
