"""Write the causes' part of docs/diagnosing.md, and a picture for each.

    python docs/write_diagnosing.py                       # the text; pictures only where there is none yet
    python docs/write_diagnosing.py --pictures            # run a program and its repair for every cause anew
    python docs/write_diagnosing.py --pictures dead-units # these alone

Text comes from :data:`descend.diagnosing.causes.CAUSES`; a picture is the training loss of a program of the
corpus (of the half that detectors may be tuned on) and of its repaired form.
"""

import argparse
import math
import re
import sys
import tempfile
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "corpus"))

from programs import Program, programs, repaired, set_aside  # noqa: E402  # pyright: ignore

from descend.diagnosing.causes import CAUSES, Cause  # noqa: E402

PAGE, PICTURES = HERE / "diagnosing.md", HERE / "diagnosing"
MARK = "<!-- written by docs/write_diagnosing.py -->"
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 52, 26
COLOURS = {"faulty": "#d9622b", "repaired": "#2f8f5b"}


def losses(path: Path) -> list[float]:
    """Return the losses of a script, one a backward."""
    import contextlib
    import io
    import warnings

    from descend.watching.script import watched

    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return [v for _, v in watched(path, []).losses]


def smoothed(values: list[float], points: int = 240) -> list[tuple[float, float]]:
    """Return (share of the run, mean loss) of equal parts; what is not finite ends the line."""
    size, found = max(1, len(values) / points), []
    for k in range(min(points, len(values))):
        part = values[int(k * size) : max(int(k * size) + 1, int((k + 1) * size))]
        mean = sum(part) / len(part)
        if not math.isfinite(mean) or abs(mean) > 1e12:
            break
        found.append(((k + 0.5) / min(points, len(values)), mean))
    return found


def drawn(cause: str, program: Program, curves: dict[str, list[tuple[float, float]]]) -> str:
    """Return the picture as SVG: both losses over the run."""
    every = [y for line in curves.values() for _, y in line] or [0.0, 1.0]
    logarithmic = min(every) > 0 and max(every) > 8 * min(every)
    scale = math.log10 if logarithmic else float
    low, high = min(map(scale, every)), max(map(scale, every))
    high += (high - low) * 0.05 or 1.0

    def place(x: float, y: float) -> str:
        across = LEFT + x * (WIDTH - LEFT - 12)
        return f"{across:.1f} {10 + (HEIGHT - BOTTOM - 10) * (high - scale(y)) / (high - low):.1f}"

    said = f"{program.title.rstrip('.')}: its training loss as it is, and repaired."
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="c" font-family="system-ui, sans-serif" font-size="12">',
        f'<desc id="c">{escape(said)}</desc>',
        "<style>path{fill:none;stroke-linejoin:round}text{fill:#7a838b}</style>",
        f'<path stroke="#8a939b" d="M{LEFT} 8V{HEIGHT - BOTTOM}H{WIDTH - 10}"/>',
    ]
    for at in (low, low + (high - low) / 1.05):
        value = 10**at if logarithmic else at
        y = 10 + (HEIGHT - BOTTOM - 10) * (high - at) / (high - low)
        label = f'<text x="{LEFT - 5}" y="{y + 4:.0f}" text-anchor="end" font-size="11">{value:.2g}</text>'
        out.append(label)
    for row, (name, line) in enumerate(curves.items()):
        if line:
            path = "M" + "L".join(place(x, y) for x, y in line)
            out.append(f'<path stroke="{COLOURS[name]}" stroke-width="2" d="{path}"/>')
        out.append(
            f'<text x="{LEFT + 8 + 64 * row}" y="{HEIGHT - 6}" '
            f'style="fill:{COLOURS[name]};font-weight:600">{name}</text>'
        )
    out.append(f'<text x="{WIDTH - 12}" y="{HEIGHT - 6}" text-anchor="end">steps</text></svg>')
    return "\n".join(out) + "\n"


def picture(cause: str) -> None:
    """Run a program of the cause and its repair, and draw both."""
    program = next(p for p in programs("faulty") if p.cause == cause and not set_aside(p.name))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "repaired.py"
        file.write_text(repaired(program), encoding="utf-8")
        curves = {"faulty": smoothed(losses(program.path)), "repaired": smoothed(losses(file))}
    (PICTURES / f"{cause}.svg").write_text(drawn(cause, program, curves), encoding="utf-8")
    print(f"{cause}: {program.name}", flush=True)


def section(cause: Cause) -> str:
    """Return the text of one cause."""
    file = PICTURES / f"{cause.name}.svg"
    parts = [f"### {cause.name}", cause.meaning, f"**Seen by:** {cause.signal}"]
    alike = [f"[{name}](#{name})" for name in cause.makes]
    if alike:
        parts.append(f"**It can look like** {', '.join(alike)}, which it is ranked before where both fit.")
    if cause.unlike:
        parts.append(f"**Told apart:** {cause.unlike}")
    parts.append(f"**Remedy:** {cause.remedy}")
    if file.exists():
        found = re.search(r"<desc[^>]*>(.*?)</desc>", file.read_text(encoding="utf-8"))
        told = found.group(1) if found else ""
        parts.append(f"![{told}](diagnosing/{file.name})\n\n<sub>{told}</sub>")
    return "\n\n".join(parts)


def page() -> str:
    """Return the whole page: what a person wrote, then every cause."""
    head = PAGE.read_text(encoding="utf-8").partition(MARK)[0].rstrip()
    return "\n\n".join([head, MARK, *map(section, CAUSES.values())]) + "\n"


def main() -> None:
    """Draw what is asked for or missing, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", nargs="*", metavar="CAUSE", help="draw anew: all, or these")
    asked = parser.parse_args().pictures
    PICTURES.mkdir(exist_ok=True)
    for cause in CAUSES:
        if not (PICTURES / f"{cause}.svg").exists() or (asked is not None and (not asked or cause in asked)):
            picture(cause)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
