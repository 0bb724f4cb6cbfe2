"""``descend fit``: find the parameters that make a loss small."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.flags import duration, hyperparameters, number, starts, whole
from descend.cli.invocation import Invocation
from descend.cli.options import AsJson, Device, Seed, TargetColumn
from descend.cli.terminal import complain, is_terminal, say_json
from descend.errors import RunError

if TYPE_CHECKING:
    from descend.runs.run import Run


def fit(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="What to learn: digits, diabetes, breast-cancer; language, driving, lane-keeping; a surface"
            " such as rosenbrock; a CSV or Parquet file; a folder of pictures, with a subfolder a class,"
            " boxes or masks, or of IDX files; a text file; file.py:problem.",
        ),
    ],
    target_column: TargetColumn = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table: another one of the same columns, which is the test."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Ratings: who rated; without --target it is learned what is chosen next.",
        ),
    ] = None,
    item: Annotated[str | None, typer.Option(metavar="COLUMN", help="Ratings: what was rated.")] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Ratings: when; none for no time [default: found by its name]."),
    ] = None,
    vocabulary: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole("--vocabulary", least=0),
            help="A text: learn N byte pairs as its tokens; 0 takes characters.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="A table: fit this curve, such as 'y = a*exp(-b*x) + c'; names that are no columns are its"
            " parameters.",
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=X", help="A curve: where a parameter begins [default: 1]; may be repeated."
        ),
    ] = None,
    sigma: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A curve: the standard error of each row, by which it counts."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help="A variant of descent; `descend methods` lists them.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="X", parser=number("--lr", above=0), help="The learning rate.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole("--steps", least=1), help="Stop after N updates."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            parser=duration("--seconds"),
            help="Stop after this time, start-up included: 90, 90s, 2m or 1h.",
        ),
    ] = None,
    until_loss: Annotated[
        float | None,
        typer.Option(metavar="L", parser=number("--until-loss"), help="Stop once the loss is this low."),
    ] = None,
    until_metric: Annotated[
        float | None,
        typer.Option(
            metavar="V", parser=number("--until-metric"), help="Stop once the validation metric is this good."
        ),
    ] = None,
    gradient_norm: Annotated[
        float | None,
        typer.Option(
            metavar="G",
            parser=number("--gradient-norm", above=0),
            help="Stop once the gradient is this short: a minimum.",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole("--patience", least=1),
            help="Stop after N evaluations without a better one.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole("--batch-size", least=1), help="Examples a step."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How the learning rate goes: constant, linear, cosine, wsd, one-cycle, inverse-sqrt; and "
            "others, such as cosine,weight_decay=linear,betas.0=0.85..0.95.",
        ),
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            parser=number("--warmup", least=0, below=1),
            help="The share of the descent in which the learning rate rises from nothing.",
        ),
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option(
            metavar="G", parser=number("--clip", above=0), help="Shorten a gradient longer than this to it."
        ),
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole("--accumulate", least=1), help="Batches whose gradients make one step."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the function is computed in: float32, bfloat16, or auto: bfloat16 where it is faster.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A hyperparameter of the method, such as betas=0.9,0.95; may be repeated.",
        ),
    ] = None,
    seed: Seed = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole("--threads", least=1), help="CPU threads; otherwise they are measured."
        ),
    ] = None,
    device: Device = None,
    watch: Annotated[
        bool,
        typer.Option("--watch/--no-watch", help="See what goes wrong, in 3% of the time."),
    ] = True,
    prove: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            parser=duration("--prove", least=0),
            help="Time for trying remedies where something is wrong, after the descent; 0 tries none"
            " [default: a tenth of the training time, within --seconds].",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the run goes [default: runs/NAME, the next free number]."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> int:
    """Find the parameters that make a loss small, and leave them as a run."""
    call: Invocation = context.obj
    chosen = hyperparameters("--set", settings or ())
    if schedule is not None:
        from descend.descent.schedules import Schedules

        Schedules(schedule)  # refuses an unknown name before torch is loaded
    if out is not None and not resume:
        refuse_occupied(out)

    with ExitStack() as stack:
        observers = []
        if is_terminal() and not json and not quiet:
            from descend.cli.live import LiveLine

            observers.append(stack.enter_context(LiveLine(Path(target).name or target)))
        run = _descend(
            call,
            target,
            {
                "target_column": target_column,
                "test": test and str(test),
                "vocabulary": vocabulary,
                "user": user,
                "item": item,
                "time": time,
                "model": model,
                "start": starts("--start", start or ()) or None,
                "sigma": sigma,
            },
            out,
            bounds={
                "steps": steps,
                "seconds": seconds,
                "loss": until_loss,
                "metric": until_metric,
                "gradient_norm": gradient_norm,
                "patience": patience,
            },
            seed=seed or 0,
            observers=observers,
            method=method,
            lr=lr,
            batch_size=batch_size,
            schedule=schedule,
            warmup=warmup,
            clip=clip,
            accumulate=accumulate,
            precision=precision,
            hyperparameters=chosen or None,
            threads=threads,
            device=device,
            resume=resume,
            watch=watch,
            prove=prove,
        )
    return _tell(call, run, json, quiet)


def _descend(
    call: Invocation,
    target: str,
    given: dict[str, Any],
    out: Path | None,
    *,
    bounds: dict[str, Any],
    seed: int,
    observers: Sequence[Any],
    **options: Any,
) -> "Run":
    from descend.applications.targets import problem_from_target
    from descend.descent.until import Until

    given = {name: value for name, value in given.items() if value is not None}
    problem = problem_from_target(target, seed=seed, **given)
    from descend.runs.fit import fit as descend  # torch: a target that is not there is said before

    if out is None and options["resume"]:
        out = latest_folder(problem.name)
    until = Until(**bounds) if any(bound is not None for bound in bounds.values()) else None
    try:
        return descend(
            problem,
            until=until,
            seed=seed,
            out=out,
            observers=observers,
            target=target,
            command=call.command,
            startup=call.elapsed,
            **options,
        )
    except (
        KeyboardInterrupt
    ):  # a second Ctrl-C, while the run was being written, or one before the first step
        folder = latest_folder(problem.name) if out is None else out
        if out is None and _command_of(folder) != call.command:
            raise
        if not (folder / "state.safetensors").exists():
            raise
        complain(f"interrupted; go on from what was saved with: {call.resume_command(folder)}")
        raise typer.Exit(130) from None


def _command_of(folder: Path) -> str | None:
    from descend.runs.run import Run

    try:
        return Run.open(folder).facts.get("command")
    except RunError:
        return None


def _tell(call: Invocation, run: "Run", json: bool, quiet: bool) -> int:
    from descend.cli.summary import as_json, summarise
    from descend.descent.outcome import Outcome

    outcome = run.outcome
    interrupted = outcome is Outcome.INTERRUPTED
    resume = call.resume_command(run.folder) if interrupted else None
    code = 3 if outcome.failed else 130 if interrupted else 0
    try:
        if json:
            say_json(as_json(run))
        elif not quiet:
            summarise(run, resume)
    except BrokenPipeError:  # nobody reads any more, but the descent is done: its exit code stands
        from descend.cli.terminal import silence

        silence()
    if resume is not None and not (is_terminal() and not json and not quiet):
        complain(f"interrupted at step {run.facts['steps']:,}, saved; go on with: {resume}")
    if outcome.failed and (json or quiet or not is_terminal()):
        complain(run.facts["outcome"]["sentence"])
    return code


def refuse_occupied(folder: Path) -> None:
    """Raise where ``folder`` cannot become a new run, before anything costly has begun."""
    if folder.exists() and not folder.is_dir():
        raise RunError("a folder for --out", f"the file {folder}", "choose another name")
    if (folder / "run.json").exists():
        raise RunError(
            "a folder without a run for --out",
            f"{folder}, which holds one",
            "go on with it by --resume, or choose another folder",
        )


def latest_folder(name: str, under: Path = Path("runs")) -> Path:
    """Return the folder that the latest run of this name went to without ``--out``.

    Example:
        >>> latest_folder("digits", under=Path("nowhere")).as_posix()
        'nowhere/digits'
    """
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "run"
    latest, number = under / plain, 2
    while (under / f"{plain}-{number}").exists():
        latest, number = under / f"{plain}-{number}", number + 1
    return latest
