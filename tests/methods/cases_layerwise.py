"""The methods with a rate for each tensor."""

from cases import Case
from references.layerwise import LAMB, LARS

CASES: dict[str, Case] = {
    "lars": Case(
        LARS,
        (
            {},
            {"weight_decay": 0.0},
            {"momentum": 0.5, "trust_coefficient": 0.1, "weight_decay": 0.1, "maximize": True},
        ),
        source="the authors' Caffe, written out",
        lr=1.0,
        cyclic="momentum",
        whole_tensor=True,
    ),
    "lamb": Case(
        LAMB,
        (
            {},
            {"weight_decay": 0.0},
            {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.5, "maximize": True},
        ),
        source="the paper's algorithm 2, written out",
        cyclic="betas",
        whole_tensor=True,
    ),
}
