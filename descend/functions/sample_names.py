"""The names of the sample data, obtainable without torch: ``descend --help`` may list them."""

SAMPLE_NAMES: tuple[str, ...] = ("digits", "diabetes", "breast-cancer")
"""Classification of pictures, regression, classification of numbers."""


def sample_name(name: str) -> str | None:
    """Return a sample's name as the table spells it, or ``None`` where there is no such sample.

    Example:
        >>> sample_name("Breast_Cancer")
        'breast-cancer'
    """
    spelled = name.strip().lower().replace("_", "-").replace(" ", "-")
    return spelled if spelled in SAMPLE_NAMES else None
