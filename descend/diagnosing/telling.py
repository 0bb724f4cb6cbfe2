"""What was found, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descend.diagnosing.finding import WORTH_TELLING, Finding
from descend.watching.observations import Observations


def told(seen: Observations, found: Iterable[Finding]) -> str:
    """Return findings as a person reads them, the most probable cause first."""
    return "\n".join(lines(seen, list(found)))


def lines(seen: Observations, found: list[Finding]) -> Iterator[str]:
    """Return the same, line by line."""
    if seen.ended not in ("finished", "enough"):
        yield f"The run ended with {seen.ended}"
    if not seen.steps:
        yield "No step was seen: there is nothing to say. Steps of torch's optimizers can be seen, and steps"
        yield "by hand with gradients of loss.backward() or torch.autograd.grad, but not of torch.func."
        return
    serious = warnings(found)
    yield headline(found)
    for place, one in enumerate(serious, 1):
        yield ""
        yield f"{place}. {one.cause}  ({one.severity}, {one.confidence:.0%} sure)"
        yield f"   {one.evidence}"
        yield f"   Do: {one.remedy}"
        if one.effect:
            yield f"   Tried: {one.effect}"
        if one.explains:
            yield f"   It explains what looks like {', '.join(one.explains)}."
    possible = [one for one in found if one.severity == "info" and one.confidence >= WORTH_TELLING][:4]
    if possible and not serious:
        names = ", ".join(f"{one.cause} ({one.confidence:.0%})" for one in possible)
        yield f"Possible, without enough evidence: {names}."
    yield ""
    yield (
        f"{seen.steps} steps, {len(seen.windows)} of them looked at closely; "
        f"watching took {seen.overhead:.1%} of {seen.seconds:.1f} s."
    )
    for one in dict.fromkeys(seen.not_measured):
        yield f"Not measured: {one}."


def warnings(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings that count as an alarm."""
    return [one for one in found if one.severity != "info"]


def headline(found: Iterable[Finding]) -> str:
    """Return what findings come to, in a line."""
    serious = warnings(found)
    if not serious:
        return "Nothing wrong was seen."
    return "Something is wrong" + (":" if len(serious) == 1 else ", the most probable cause first:")
