"""``descend corpus score``: how often the right cause is named, and how often a sound run is accused."""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.options import AsJson
from descend.cli.terminal import say, say_json
from descend.errors import UsageError, nearest

if TYPE_CHECKING:
    from descend.diagnosing.scoring import Watched
    from descend.diagnosing.scoring_proofs import Proved

HALVES = ["aside", "tuning", "all"]


def corpus(
    what: Annotated[str, typer.Argument(metavar="score", help="What to do: score.")],
    half: Annotated[
        str, typer.Option(metavar="HALF", help="aside (the published figures), tuning, or all.")
    ] = "aside",
    name: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these programs.")] = None,
    early: Annotated[
        bool, typer.Option("--early", help="Also whether semantic faults are told within 20 steps.")
    ] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Instead: whether proved remedies improve the final metric.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(metavar="S", help="How long proving may take, for each program.")
    ] = 20.0,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The corpus [default: corpus/ of the project].")
    ] = None,
    json: AsJson = False,
) -> int:
    """Watch every program of the corpus, and print how often the findings are right."""
    if what != "score":
        raise UsageError("descend corpus score", f"descend corpus {what}", "score is what there is to do")
    if half not in HALVES:
        raise UsageError(f"--half {', '.join(HALVES)}", repr(half), nearest(half, HALVES))
    listed = _programs(folder)
    programs = [
        p
        for p in listed.programs()
        if (name is None and (half == "all" or listed.set_aside(p.name) == (half == "aside")))
        or (name is not None and p.name in name)
    ]
    if not programs:
        raise UsageError("the name of a program", ", ".join(name or []), "the files of corpus/ have it")
    if prove:
        return _prove(listed, programs, seconds, half, json)
    from descend.diagnosing.scoring import score

    found = score(programs, early, (lambda one: None) if json else _tell)
    results = found.pop("results")
    if json:
        say_json({**found, "half": half, "results": [vars(one) for one in results]})
        return 0
    say()
    for key, words in (
        ("first", "root cause named first"),
        ("first_three", "among the first three"),
        ("warned_first", "the first warning"),
        ("false_alarms", "healthy programs with any warning"),
        ("overhead_median", "overhead, healthy, median"),
        ("overhead_worst", "overhead, healthy, worst"),
        ("early", "semantic faults told within 20 steps"),
    ):
        if found[key] is not None:
            say(f"{words:40}{found[key]:8.1%}")
    say(f"{found['faulty']} faulty and {found['healthy']} healthy programs ({half})")
    return 0


def _prove(listed: Any, programs: list[Any], seconds: float, half: str, json: bool) -> int:
    """Print how many proved remedies keep what they promise."""
    from descend.diagnosing.scoring_proofs import score

    found = score(programs, listed.repaired, seconds, (lambda one: None) if json else _tell_proved)
    results = found.pop("results")
    if json:
        told = [{**vars(one), "proved": [vars(kept) for kept in one.proved]} for one in results]
        say_json({**found, "half": half, "results": told})
        return 0
    say()
    for key, words in (
        ("replayed", "programs whose steps could be played"),
        ("suspected", "programs with a finding"),
        ("experiments", "experiments"),
        ("proved", "remedies proved"),
    ):
        say(f"{words:58}{found[key]:6}")
    if found["improve"] is not None:
        say(f"{'of these improve the final metric, applied from the start':58}{found['improve']:6.1%}")
    say(f"{found['programs']} programs ({half}), {seconds:g} s of proving each")
    return 0


def _tell_proved(one: "Proved") -> None:
    told = one.failed or one.reason or ("nothing suspected" if not one.findings else f"{one.tried} tried")
    say(f"{one.kind:8}{one.name:36}{(one.causes or ('',))[0]:30}{told}")
    for kept in one.proved:
        words = f"metric {kept.metric:.4g} → {kept.with_it:.4g} by {kept.by}"
        mark = "improves" if kept.improved else "DOES NOT IMPROVE"
        say(f"{'':8}{kept.cause}, {kept.remedy}: loss {kept.before:.4g} → {kept.after:.4g}; {words}: {mark}")


def _tell(one: "Watched") -> None:
    named = ", ".join(f"{f['cause']} {f['confidence']:.2f}" for f in one.findings[:3]) or "nothing"
    if one.kind == "faulty":
        mark = "first" if one.rank(1) else "among three" if one.rank(3) else "MISSED"
    else:
        mark = "WARNED" if one.warned else "quiet"
    say(f"{one.kind:8}{one.name:36}{(one.causes or ('',))[0]:30}{mark:12} {one.failed or named}")


def _programs(folder: Path | None) -> Any:
    """Load the corpus's own list of its programs."""
    for place in [folder] if folder else [Path("corpus"), Path(__file__).parents[2] / "corpus"]:
        file = place / "programs.py"
        if file.is_file():
            spec = importlib.util.spec_from_file_location("descend_corpus", file)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules["descend_corpus"] = module
            spec.loader.exec_module(module)
            return module
    raise UsageError(
        "the folder corpus/ of descend's project", str(folder or Path("corpus")), "run it in a clone"
    )
