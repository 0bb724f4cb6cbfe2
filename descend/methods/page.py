"""A method's page: what its docstring and its class say, as text.

The docs (``docs/write_methods.py``) and ``descend methods NAME`` are both made from it, so that what a
method is stands in one place, its own docstring.
"""

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

from descend.methods.curvature.deterministic import Deterministic
from descend.methods.method import Method

_SECTIONS = ("Equations", "Args", "Memory", "Use it when", "Source", "Differs", "Example", "Raises")


@dataclass(frozen=True)
class Page:
    """What there is to say about a method.

    Attributes:
        name: as in :func:`descend.methods.names`.
        title: the class's name.
        family: one of :data:`descend.methods.families.FAMILIES`.
        summary: one line.
        equation: the equations in one line.
        equations: the equations in full, with the words around them, as Markdown.
        hyperparameters: by name: the default and the role.
        memory: what it keeps, in bytes a parameter.
        bytes_per_parameter: the same at the default hyperparameters, as a number.
        use: when to use it.
        source: the paper.
        differs: where it differs from torch or from the authors' code; empty where it does not.
        example: lines of a Python session.
        about: anything else.
        notes: what follows from the class: which shapes it takes, where it evaluates.
    """

    name: str
    title: str
    family: str
    summary: str
    equation: str
    equations: str
    hyperparameters: dict[str, tuple[Any, str]]
    memory: str
    bytes_per_parameter: float
    use: str
    source: str
    differs: str
    example: str
    about: str = ""
    notes: tuple[str, ...] = field(default=())

    def markdown(self, picture: str = "") -> str:
        """Return the page as Markdown.

        Args:
            picture: Markdown to put under the equations.
        """
        rows = [
            f"| `{name}` | `{default!r}` | {_cell(role)} |"
            for name, (default, role) in self.hyperparameters.items()
        ]
        made = f"`descend.{self.title}(parameters)`, `descend fit ... --method {self.name}`"
        parts = [
            f"# {self.title}",
            self.summary,
            f"Family: {self.family}. {made}.",
            self.about,
            f"## Equations\n\n{self.equations}",
            picture,
            "## Hyperparameters\n\n| name | default | role |\n|---|---|---|\n" + "\n".join(rows),
            *self.notes,
            f"## When to use it\n\n{self.use}" if self.use else "",
            f"## Memory\n\n{self.memory}",
            f"## Source\n\n{linked(self.source)}",
            f"## Where it differs\n\n{linked(self.differs)}" if self.differs else "",
            f"## Example\n\n```python\n{self.example}\n```" if self.example else "",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Return the page as JSON values."""
        return {
            "name": self.name,
            "class": self.title,
            "family": self.family,
            "summary": self.summary,
            "equation": self.equation,
            "equations": self.equations,
            "hyperparameters": {
                name: {"default": default, "role": role}
                for name, (default, role) in self.hyperparameters.items()
            },
            "bytes_per_parameter": self.bytes_per_parameter,
            "memory": self.memory,
            "use": self.use,
            "source": self.source,
            "differs": self.differs,
            "example": self.example,
            "about": self.about,
            "notes": list(self.notes),
        }


def page(name: str) -> Page:
    """Return the page of a method.

    Args:
        name: as in :func:`descend.methods.names`; upper case, hyphens and underscores do not matter.

    Raises:
        UsageError: where there is none of this name.

    Example:
        >>> page("adamw").family
        'adaptive'
    """
    from descend.methods import method

    return page_of(method(name))


def page_of(cls: type[Method] | type[Deterministic]) -> Page:
    """Return the page of a class of method, also of your own.

    Example:
        >>> from descend.methods import SGD
        >>> page_of(SGD).hyperparameters["lr"][0]
        0.001
    """
    found = _sections(inspect.getdoc(cls) or "")
    roles = _entries(found.get("Args", ""))
    return Page(
        name=cls.__name__.lower(),
        title=cls.__name__,
        family=cls.family,
        summary=_plain(cls.summary),
        equation=cls.equation,
        equations=_laid_out(found.get("Equations", f"Equations::\n\n    {cls.equation}")),
        hyperparameters={name: (value, roles.get(name, "")) for name, value in cls.defaults.items()},
        memory=_sentence(found.get("Memory", "")) or f"{cls.bytes_per_parameter} bytes a float32 parameter.",
        bytes_per_parameter=cls.bytes_per_parameter,
        use=_sentence(found.get("Use it when", "")),
        source=_sentence(found.get("Source", "")),
        differs=_sentence(found.get("Differs", "")),
        example=_block(found.get("Example", "").partition("\n")[2]),
        about="\n\n".join(_flowed(part) for part in found.get("", "").split("\n\n")[1:] if part.strip()),
        notes=tuple(_notes(cls)),
    )


def linked(text: str) -> str:
    """Link arXiv numbers.

    Example:
        >>> linked("arXiv:1412.6980.")
        '[arXiv:1412.6980](https://arxiv.org/abs/1412.6980).'
    """
    return re.sub(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def _notes(cls: type[Method] | type[Deterministic]) -> list[str]:
    notes = []
    if issubclass(cls, Deterministic):
        notes.append(
            "It asks for the loss in more places than one, on the same examples: `opt.step(closure)`. In a "
            "descent all examples are in every step; where a method is to see batches, take another family."
        )
        if cls.of_squares:
            notes.append('It needs a loss that is a mean of squares: `"mse"`.')
    if cls.takes is not None:
        notes.append(
            f'It takes some shapes only: `descend.optimizer("{cls.__name__.lower()}", model)` gives it '
            "those, and everything else to AdamW."
        )
    if cls.evaluation_point is not None:
        notes.append("It trains at one point and is evaluated at another: `with opt.evaluation(): ...`.")
    return notes


def _sections(doc: str) -> dict[str, str]:
    """Split a docstring at the lines that begin a section; what comes before the first is under ``""``.

    Prose after the equations belongs to them; after any other section it is again under ``""``.
    """
    found: dict[str, list[str]] = {"": []}
    name, blank = "", True
    for line in doc.splitlines():
        opening = next((s for s in _SECTIONS if re.match(rf"{s}\b.*:", line)), None) if blank else None
        if opening is not None:
            name = opening
            line = line if name == "Equations" else line[len(name) + 1 :]
        elif blank and line and not line[0].isspace() and name != "Equations":  # a paragraph of prose
            name = ""
        found.setdefault(name, []).append(line)
        blank = not line.strip()
    return {name: "\n".join(lines).rstrip() for name, lines in found.items()}


def _laid_out(text: str) -> str:
    """Take the words and the indented lines of equations to Markdown."""
    parts: list[str] = []
    indented = False
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if not block[0].isspace():
            parts.append(_lead(block))
        elif indented:  # a gap between equations
            parts[-1] = f"{parts[-1].removesuffix(chr(10) + '```')}\n\n{_block(block)}\n```"
        else:
            parts.append(f"```text\n{_block(block)}\n```")
        indented = block[0].isspace()
    return "\n\n".join(part for part in parts if part)


def _lead(text: str) -> str:
    """Take ``Equations, in step t::`` to ``In step t:``."""
    said = _plain(text.removesuffix("::"))
    if said.startswith("Equations"):
        said = said.removeprefix("Equations").lstrip(" ,;:")
    mark = ":" if said and text.endswith("::") else ""
    return f"{said[:1].upper()}{said[1:]}{mark}"


def _entries(text: str) -> dict[str, str]:
    """Read ``name: role`` entries; ``a, b: role`` is one for each."""
    entries: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", inspect.cleandoc("\n" + text)):
        names, _, role = entry.partition(":")
        for name in names.split(","):
            entries[name.strip().strip("*")] = _flowed(role)
    return entries


def _block(text: str) -> str:
    return inspect.cleandoc("\n" + text).strip("\n")


def _flowed(text: str) -> str:
    return _plain(" ".join(text.split()))


def _sentence(text: str) -> str:
    said = _flowed(text)
    return said[:1].upper() + said[1:]


def _plain(text: str) -> str:
    """Take Sphinx's marks to Markdown's."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda m: f"`{m[1].lstrip('~')}`", " ".join(text.split()))
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return linked(text).replace("|", "\\|")
