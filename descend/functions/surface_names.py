"""The names of the surfaces, obtainable without torch: ``descend --help`` may list them."""

SURFACE_NAMES: tuple[str, ...] = (
    "sphere",
    "quadratic",
    "booth",
    "matyas",
    "zakharov",
    "absolute",
    "rosenbrock",
    "beale",
    "wood",
    "powell",
    "dixon-price",
    "saddle",
    "monkey-saddle",
    "himmelblau",
    "three-hump-camel",
    "six-hump-camel",
    "branin",
    "mccormick",
    "goldstein-price",
    "styblinski-tang",
    "bohachevsky",
    "rastrigin",
    "ackley",
    "griewank",
    "levy",
    "easom",
)
"""From the simplest to the hardest: bowls, valleys, saddles, a few minima, very many minima."""


def surface_name(name: str) -> str | None:
    """Return a surface's name as the table spells it, or ``None`` where there is no such surface.

    Args:
        name: in any case, with underscores or spaces for the hyphens.

    Example:
        >>> surface_name("Three_Hump camel")
        'three-hump-camel'
    """
    spelled = name.strip().lower().replace("_", "-").replace(" ", "-")
    return spelled if spelled in SURFACE_NAMES else None
