"""Write docs/methods: a page for every method, its picture, and the index.

    python docs/write_methods.py                       # the pages; pictures only where there is none yet
    python docs/write_methods.py --pictures            # walk and draw every method anew (some minutes)
    python docs/write_methods.py --pictures lion soap  # these alone

The text comes from each class's docstring (:mod:`descend.methods.page`), the caption from the picture.
``tests/house/test_method_pages.py`` holds the pages to what this would write.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

import method_pictures as pictures

from descend.methods import CURVATURE, LAYERED, TABLE
from descend.methods.families import FAMILIES
from descend.methods.modifiers import MODIFIERS
from descend.methods.page import linked, page

FOLDER = Path(__file__).parent / "methods"
DRAWN = {**TABLE, **CURVATURE}
METHODS = {**DRAWN, **LAYERED}
ABOUT = {
    "gradient and momentum": "Where the gradient points, and what is remembered of it.",
    "adaptive": "Steps of each coordinate's own length, measured by its recent gradients.",
    "sign": "Every coordinate moves by the same length: half of Adam's memory.",
    "matrix": "A weight matrix is taken as a matrix, not as a list of numbers.",
    "no rate to tune": "The rate is found on the way.",
    "frugal": "Less memory than Adam's eight bytes a parameter.",
    "natural gradient": "How far a step changes what the network says, not how far its parameters go.",
    "curvature": "All examples in every step, and the minimum to the last digit: fits, and small networks.",
    "stochastic curvature": "An estimate of the Hessian's diagonal beside the gradient.",
}


def picture_of(name: str) -> Path:
    """Return where a method's picture lies."""
    return FOLDER / "pictures" / f"{name}.svg"


def page_text(name: str) -> str:
    """Return the text of a method's page."""
    if name not in DRAWN:  # it looks at layers, of which a valley has none
        return page(name).markdown()
    said = pictures.told(picture_of(name).read_text(encoding="utf-8"))[0]
    return page(name).markdown(
        f"![The path of {METHODS[name].__name__}](pictures/{name}.svg)\n\n<sub>{said}</sub>"
    )


def index_text() -> str:
    """Return the text of the index."""
    parts = [
        "# The methods",
        f"{len(METHODS)} variants of gradient descent. Each is written once, as its equations "
        "([how](../decisions.md#the-form-of-a-rule)), and is a `torch.optim.Optimizer`: "
        '`descend.AdamW(model.parameters())`, `descend.optimizer("adamw", model)`, '
        "`descend fit ... --method adamw`. `descend methods` lists them, `descend methods adamw` says all "
        "about one.",
        "`bytes` is what the method keeps for each float32 parameter, at its defaults and for a matrix of "
        "1024 × 1024; the parameter and its gradient come on top.",
        "Every picture is the path down the same valley, Rosenbrock's, from the same start, in the same "
        "number of steps, with the learning rate chosen from the same grid. It shows how a method moves. It "
        "does not show which is best for a network: that valley is two numbers without noise.",
        "Written by `python docs/write_methods.py` from the methods' docstrings.",
    ]
    for family in FAMILIES:
        names = [name for name, cls in METHODS.items() if cls.family == family]
        if names:
            rows = [_row(name) for name in names]
            table = "| method | what it is | equations | bytes |\n|---|---|---|--:|\n" + "\n".join(rows)
            parts += [f"## {family[0].upper()}{family[1:]}", ABOUT[family], table]
    if MODIFIERS:
        rows = [f"| `{name}` | {linked(part.summary)} |" for name, part in MODIFIERS.items()]
        parts += [
            "## Parts that any method can take",
            "Each is switched on by its hyperparameter, in any method's constructor or in one group: see "
            "[modifiers](../modifiers.md).",
            "| hyperparameter | what it does |\n|---|---|\n" + "\n".join(rows),
        ]
    return "\n\n".join(parts) + "\n"


def _row(name: str) -> str:
    said = page(name)
    cells = [
        f"[{said.title}]({name}.md)",
        said.summary,
        f"`{said.equation}`",
        f"{said.bytes_per_parameter:.3g}",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Draw what is asked for or missing, write every page, and take away pages of no method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", nargs="*", metavar="NAME", help="draw anew: all, or these")
    asked = parser.parse_args().pictures
    torch.set_num_threads(1)
    picture_of("").parent.mkdir(parents=True, exist_ok=True)
    for name, cls in DRAWN.items():
        if not picture_of(name).exists() or (asked is not None and (not asked or name in asked)):
            found = pictures.tuned(cls)
            picture_of(name).write_text(pictures.drawn(cls, found), encoding="utf-8")
            print(pictures.caption(cls, found))
    written = {FOLDER / f"{name}.md": page_text(name) for name in METHODS} | {
        FOLDER / "README.md": index_text()
    }
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    for path in [*FOLDER.glob("*.md"), *FOLDER.glob("pictures/*.svg")]:
        if path not in written and path not in {picture_of(name) for name in METHODS}:
            path.unlink()
    print(f"wrote {len(written)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
