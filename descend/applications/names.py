"""The applications: what each is for, and the names that some of them go by. It costs no import of torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Application:
    """One application, as ``descend applications`` lists it.

    Attributes:
        title: what it is for.
        module: its page, in ``descend.applications`` or the module that makes the problem.
        train: the command that trains it.
        data: what those are.
        use: what its run is used with afterwards.
    """

    title: str
    module: str
    train: str
    data: str
    use: str


APPLICATIONS: dict[str, Application] = {
    "language": Application(
        "To write on in the manner of a text",
        "descend.applications.language",
        "descend fit book.txt (or descend fit language)",
        "any text; by default the reference of the language that every Python carries",
        'descend generate RUN --prompt "It was"',
    ),
    "detection": Application(
        "To find objects in pictures, cells under a microscope say, and to count them",
        "descend.applications.detection",
        "descend fit DIR",
        "a folder of pictures with boxes, in Pascal VOC's or COCO's form",
        "descend predict RUN photo.jpg --draw out.png",
    ),
}
"""By the names of their pages."""

BUILT_IN = {"language": "applications.language:language_problem"}
"""What needs no file: the names that ``descend fit`` takes, and what makes their problems."""


def application_name(name: str) -> str | None:
    """Return a built-in application's name as the table spells it, or ``None`` where it is none.

    Example:
        >>> application_name("Language")
        'language'
    """
    spelled = name.strip().lower().replace("_", "-").replace(" ", "-")
    return spelled if spelled in BUILT_IN else None
