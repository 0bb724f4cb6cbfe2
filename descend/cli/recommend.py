"""``descend recommend``: what a trained function recommends to somebody, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.flags import whole
from descend.cli.options import AsJson
from descend.cli.terminal import complain, figure, say, say_json
from descend.errors import UsageError

if TYPE_CHECKING:
    from descend.functions.recommendations import RatingsReader


def recommend(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run on ratings.")],
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of the users that were learned from.")
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Somebody new: a table of items and ratings."),
    ] = None,
    likes: Annotated[
        list[str] | None,
        typer.Option(metavar="ITEM", help="Somebody new: an item that is liked; may be repeated."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", parser=whole("--top", least=1), help="How many [default: 10].")
    ] = None,
    json: AsJson = False,
) -> int:
    """Recommend what somebody has not had, and say because of which ratings."""
    given = [f for f, v in (("--user", user), ("--ratings", ratings), ("--likes", likes)) if v]
    if len(given) != 1:
        raise UsageError(
            "one of --user, --ratings and --likes", " and ".join(given) or "none", "say who it is for"
        )
    from descend.functions.known_ratings import known_file, known_new, known_user
    from descend.functions.next_items import NextItems
    from descend.functions.rating_process import RatingProcess
    from descend.functions.recommendations import RatingsReader
    from descend.runs.predict import opened

    run, reader = opened(folder, RatingsReader, "learned from ratings")
    model = run.model.cpu()
    assert isinstance(model, RatingProcess | NextItems)
    memory = model.memory
    notes: list[str] = []
    if user is not None:
        known = known_user(memory, reader.user_number(user))
    elif ratings is not None:
        known, notes = known_file(memory, ratings, reader.columns, reader.item_number)
    else:
        known = known_new(memory, _numbers(reader, likes or [], notes))
    answers = reader.recommend(model, known, top or 10)
    if json:
        who: dict[str, Any] = {"user": user, "known": len(known.items), "notes": notes}
        say_json({"run": str(folder), **who, "recommendations": answers})
        return 0
    for note in notes:
        complain(note)
    for place, answer in enumerate(answers, start=1):
        say(_line(place, answer))
    return 0


def _numbers(reader: "RatingsReader", likes: list[str], notes: list[str]) -> list[int]:
    """Return the items' numbers; a name that is not known is noted."""
    from descend.errors import nearest

    numbers = {name: reader.item_number(name) for name in likes}
    for name, number in numbers.items():
        if number is None:
            words = f"{name!r} is not known; {nearest(name, reader.names)}"
            notes.append(words if len(words) < 200 else f"{name!r} is not known")
    found = [number for number in numbers.values() if number is not None]
    if not found:
        raise UsageError(
            f"one of {len(reader.items):,} items for --likes", "; ".join(notes), "check the name"
        )
    return found


def _line(place: int, answer: dict[str, Any]) -> str:
    """Return one recommendation as a line: its place, name, figure and reasons."""
    told = answer.get("prediction", answer.get("score"))
    name = answer["name"] if answer["name"] == answer["item"] else f"{answer['name']} ({answer['item']})"
    reasons = [r["name"] + (f" {r['rating']:.3g}" if "rating" in r else "") for r in answer["because"]]
    verb = "rated" if "prediction" in answer else "chose"
    because = f", because you {verb} {_listed(reasons)}" if reasons else ""
    return f"{place}. {name}  {figure(told, 3)}{because}"


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
