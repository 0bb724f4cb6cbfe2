"""The successors of Adam."""

from typing import Any

from cases import Case, package
from references.successors import ADOPT, AdEMAMix, LaProp


def _proximal(h: dict[str, Any]) -> dict[str, Any]:
    return {"weight_decouple" if name == "no_prox" else name: value for name, value in h.items()}


CASES: dict[str, Case] = {
    "adan": Case(
        package("pytorch_optimizer", "Adan"),
        (
            {},
            {"weight_decay": 0.1},
            {"weight_decay": 0.1, "no_prox": True, "betas": (0.9, 0.5, 0.95), "maximize": True},
        ),
        source="pytorch_optimizer Adan",
        theirs=_proximal,
        passes=12,
    ),
    "ademamix": Case(
        AdEMAMix,
        (
            {},
            {"weight_decay": 0.1, "alpha": 8.0},
            {"beta3_warmup": 20, "alpha_warmup": 30, "betas": (0.5, 0.9, 0.99), "maximize": True},
            {"beta3_warmup": 300, "weight_decay": 0.1},
        ),
        source="the paper's algorithm 1, written out",
        passes=9,
    ),
    "adopt": Case(
        ADOPT,
        (
            {},
            {"weight_decay": 0.1},
            {"weight_decay": 0.1, "decouple": True, "betas": (0.5, 0.9)},
            {"clip": False, "eps": 1e-3, "maximize": True},
        ),
        source="the authors' adopt, written out",
        cyclic="betas",
        passes=9,
        programs=2,
    ),
    "laprop": Case(
        LaProp,
        ({}, {"weight_decay": 0.1}, {"amsgrad": True, "betas": (0.9, 0.5), "eps": 1e-3, "maximize": True}),
        source="the paper's algorithm, written out",
        passes=8,
        cyclic="betas",
    ),
    "stableadamw": Case(
        package("optimi", "StableAdamW", kahan_sum=False, triton=False, foreach=False),
        (
            {},
            {"weight_decay": 0.0},
            {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
        ),
        source="torch-optimi StableAdamW",
        whole_tensor=True,
    ),
}
