"""The sets of tensors that ``bench/step.py`` takes steps on."""

from collections.abc import Callable

import torch

Shapes = dict[str, tuple[int, ...]]
Named = list[tuple[str, torch.nn.Parameter]]


def gpt2() -> Shapes:
    """The 148 tensors of GPT-2 124M."""
    d = 768
    found: Shapes = {"wte.weight": (50257, d), "wpe.weight": (1024, d)}
    for i in range(12):
        for part, shape in (("attn.c_attn", (3 * d, d)), ("attn.c_proj", (d, d))):
            found |= {f"h.{i}.{part}.weight": shape, f"h.{i}.{part}.bias": shape[:1]}
        for part, shape in (("mlp.c_fc", (4 * d, d)), ("mlp.c_proj", (d, 4 * d))):
            found |= {f"h.{i}.{part}.weight": shape, f"h.{i}.{part}.bias": shape[:1]}
        found |= {f"h.{i}.ln_{k}.{end}": (d,) for k in (1, 2) for end in ("weight", "bias")}
    return found | {"ln_f.weight": (d,), "ln_f.bias": (d,)}


def hidden() -> Shapes:
    """The 48 hidden matrices of GPT-2 124M."""
    return {name: shape for name, shape in gpt2().items() if name.startswith("h.") and len(shape) == 2}


def transformer() -> Shapes:
    """The 98 tensors of eight encoder layers of width 384, with embeddings: 17 million numbers."""
    d = 384
    found: Shapes = {"tok_embedding.weight": (7000, d), "pos_embedding.weight": (256, d)}
    for i in range(8):
        for part, shape in (
            ("self_attn.in_proj", (3 * d, d)),
            ("self_attn.out_proj", (d, d)),
            ("linear1", (4 * d, d)),
            ("linear2", (d, 4 * d)),
        ):
            found |= {f"layers.{i}.{part}.weight": shape, f"layers.{i}.{part}.bias": shape[:1]}
        found |= {f"layers.{i}.norm{k}.{end}": (d,) for k in (1, 2) for end in ("weight", "bias")}
    return found


def small() -> Shapes:
    """4,000 tensors of 1 to 4,096 numbers, evenly in the logarithm; every other one a matrix."""
    generator = torch.Generator().manual_seed(0)
    found: Shapes = {}
    for i, u in enumerate(torch.rand(4000, generator=generator).tolist()):
        n = round(4096**u)
        found[f"part.{i}.weight"] = (max(1, round(n**0.5)),) * 2 if i % 2 else (n,)
    return found


def digits() -> Shapes:
    """The 6 tensors of a network of 8,890 parameters."""
    found: Shapes = {}
    for i, (rows, columns) in enumerate([(84, 64), (36, 84), (10, 36)]):
        found |= {f"layers.{i}.weight": (rows, columns), f"layers.{i}.bias": (rows,)}
    return found


SETS: dict[str, tuple[str, Callable[[], Shapes]]] = {
    "a": ("GPT-2 124M", gpt2),
    "b": ("a transformer of 17 million", transformer),
    "c": ("4,000 small tensors", small),
    "d": ("a network for digits", digits),
    "h": ("the hidden matrices of GPT-2 124M", hidden),
}


def parameters(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Named:
    """Return a set's parameters by name, with gradients."""
    generator = torch.Generator().manual_seed(1)
    some = torch.randn(2**20 + 1, generator=generator)

    def filled(shape: tuple[int, ...], start: int) -> torch.Tensor:
        n = torch.Size(shape).numel()
        long = some if n + start <= len(some) else some.repeat(-(-(n + start) // len(some)))
        return long[start : start + n].reshape(shape)

    named: Named = []
    for i, (each, shape) in enumerate(SETS[name][1]().items()):
        p = torch.nn.Parameter((filled(shape, 7 * i) * 0.02).to(device, dtype))
        p.grad = (filled(shape, 11 * i + 5) * 1e-3).to(device, dtype)
        named.append((each, p))
    return named
