"""The methods that orthogonalise."""

from cases import Case
from references.muon import Muon, NorMuon, Scion

# Newton and Schulz's iteration is done in bfloat16 unless parameters are float64: test_muon.py measures it.
_NARROW = {
    "float32": "it orthogonalises in bfloat16, whose error is measured in test_muon.py",
    "bfloat16": "it orthogonalises in bfloat16, whose error is measured in test_muon.py",
    "mixed": "what it does with float32 parameters is measured in test_muon.py",
}

_NORMS = {
    "auto": "Auto",
    "spectral": "Auto",
    "sign": "Sign",
    "rms": "BiasRMS",
    "column": "ColNorm",
    "row": "RowNorm",
}


def scion(h):
    """Our hyperparameters as the authors'."""
    found = {k: h[k] for k in ("lr", "scale", "unconstrained") if k in h}
    found["momentum"] = 1 - h.get("momentum", 0.9)
    found["norm"] = _NORMS[h.get("norm", "auto")]
    found["norm_kwargs"] = {k: h[k] for k in ("normalized", "max") if k in h}
    return found


CASES: dict[str, Case] = {
    "muon": Case(
        Muon,
        (
            {},
            {"nesterov": False, "weight_decay": 0.0, "momentum": 0.5},
            {"adjust_lr_fn": "match_rms_adamw"},
            {"adjust_lr_fn": None, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 12},
            {"stacked": True, "maximize": True},
        ),
        source="Jordan's post and torch's documentation, written out",
        lr=5e-4,
        shapes="matrices",
        on_device=1e-4,
        cyclic="momentum",
        narrow=False,
        whole_tensor=True,
        without=_NARROW,
    ),
    "normuon": Case(
        NorMuon,
        (
            {},
            {"nesterov": False, "weight_decay": 0.1, "beta2": 0.5},
            {"adjust_lr_fn": "match_rms_adamw"},
            {"stacked": True, "maximize": True},
        ),
        source="the authors' code, and the paper's algorithm 1, written out",
        lr=5e-4,
        shapes="matrices",
        on_device=1e-4,
        cyclic="momentum",
        narrow=False,
        whole_tensor=True,
        without=_NARROW,
    ),
    "scion": Case(
        Scion,
        (
            {},
            {"momentum": 0.0, "normalized": False, "unconstrained": True},
            {"max": True, "scale": 3.0},
            {"norm": "sign", "scale": 50.0, "maximize": True},
            {"norm": "sign", "normalized": False},
            {"norm": "row"},
            {"norm": "row", "normalized": False},
            {"norm": "column"},
            {"norm": "column", "normalized": False},
            {"norm": "rms"},
        ),
        generic={"test_step_is_noop_for_zero_grads": "it shrinks parameters in every step, to keep a ball"},
        source="the authors' code, written out",
        theirs=scion,
        lr=5e-4,
        cyclic="momentum",
        narrow=False,
        whole_tensor=True,
        without={**_NARROW, "direction": "climbing, it still draws parameters into its ball: down"},
    ),
}
