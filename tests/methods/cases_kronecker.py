"""The methods that keep a matrix for every side of a tensor."""

from cases import Case
from references.kronecker import SOAP, PSGDKron, Shampoo

CASES: dict[str, Case] = {
    "shampoo": Case(
        Shampoo,
        (
            {},
            {
                "grafting": "none",
                "beta2": 1.0,
                "eps": 1e-4,
                "precondition_frequency": 1,
                "start_preconditioning_step": 1,
            },
            {"grafting": "sgd", "weight_decay": 0.1, "nesterov": True},
            {"grafting": "adagrad", "block_size": 2, "momentum": 0.0},
            {"grafting": "rmsprop", "exponent_override": 3.0, "beta2": 0.9, "precondition_frequency": 3},
            {"maximize": True, "block_size": 3},
        ),
        temporaries=6.5,
        source="the papers' equations, written out",
        lr=1e-3,
        cyclic="momentum",
        narrow=False,
        whole_tensor=True,
        programs=3,
    ),
    "soap": Case(
        SOAP,
        (
            {},
            {"weight_decay": 0.1, "precondition_frequency": 3, "shampoo_beta": 0.8},
            {"max_precond_dim": 3, "normalize_grads": True},
            {"merge_dims": True, "max_precond_dim": 4, "correct_bias": False},
            {"maximize": True, "precondition_frequency": 1, "betas": (0.9, 0.99)},
        ),
        temporaries=5.5,
        rounding=4.0,  # its reference's bases are nearer to float64's: 5e-6 against 2e-6 after 200 steps
        generic={"test_load_state_dict_post_hook": "it looks for a rate of 0.003, which is the default"},
        source="the authors' code, written out",
        lr=3e-3,
        cyclic="betas",
        narrow=False,
        whole_tensor=True,
        programs=3,
        without={
            "closure": "gradients along w itself leave a direction empty, where m/(√v + ε) is rounding over ε"
        },
    ),
    "psgdkron": Case(
        PSGDKron,
        (
            {},
            {"weight_decay": 0.1, "memory_save_mode": "smart_one_diag", "precond_init_scale": 0.5},
            {"memory_save_mode": "one_diag", "momentum": 0.5, "momentum_into_precond_update": False},
            {"memory_save_mode": "all_diag", "preconditioner_update_probability": 0.3},
            {"max_size_triangular": 3, "precond_lr": 0.3, "maximize": True},
        ),
        temporaries=12.0,
        source="the package kron_torch, written out",
        lr=1e-3,
        cyclic="momentum",
        narrow=False,
        whole_tensor=True,
        programs=2,
    ),
}
