"""The families of methods: which module's methods belong to which."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "gradient and momentum": ("gradient", "averaged", "schedule_free"),
    "adaptive": ("adam", "adam_variants", "adam_successors", "adaptive", "layerwise"),
    "sign": ("sign",),
    "matrix": ("muon", "scion", "soap", "shampoo", "psgd"),
    "no rate to tune": ("rate_free",),
    "frugal": ("frugal",),
    "stochastic curvature": ("stochastic_curvature",),
    "natural gradient": ("kfac",),
    "curvature": ("curvature",),
}
"""Each family's modules, or folder, of :mod:`descend.methods`, in the order in which families are told."""

OWN = "your own"
"""The family of methods that are written elsewhere."""


def family_of(module: str) -> str:
    """Return the family of the methods of a module.

    Args:
        module: its name, as in a class's ``__module__``.

    Example:
        >>> family_of("descend.methods.adam"), family_of("mine")
        ('adaptive', 'your own')
    """
    package = __name__.rpartition(".")[0] + "."
    if module.startswith(package):
        last = module.removeprefix(package).partition(".")[0]
        for family, modules in FAMILIES.items():
            if last in modules:
                return family
    return OWN
