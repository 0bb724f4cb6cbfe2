"""The command ``descend``: which commands there are, and how every failure becomes one line.

Nothing here imports torch: help, and a flag that cannot be taken, answer at once.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import typer

from descend.cli import (
    applications,
    corpus,
    diagnose,
    drive,
    export,
    fit,
    generate,
    inspect,
    lab,
    landscape,
    methods,
    predict,
    recommend,
    report,
    watch,
)
from descend.cli.invocation import Invocation
from descend.cli.terminal import complain, silence, survive_any_encoding
from descend.errors import DescendError, RunError, UsageError

app = typer.Typer(
    name="descend",
    help="Gradient descent for any function that PyTorch can differentiate: one command trains.",
    epilog="Start with: descend fit digits --seconds 15",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    # Plain help costs 0.1 s less than help in boxes, and can be piped and searched.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

COMMANDS: dict[str, Callable[..., int]] = {
    "fit": fit.fit,
    "predict": predict.predict,
    "generate": generate.generate,
    "recommend": recommend.recommend,
    "drive": drive.drive,
    "report": report.report,
    "methods": methods.methods,
    "applications": applications.applications,
    "export": export.export,
    "watch": watch.watch,
    "diagnose": diagnose.diagnose,
    "inspect": inspect.inspect,
    "landscape": landscape.landscape,
    "lab": lab.lab,
    "corpus": corpus.corpus,
}
# A watched script has arguments of its own, which come behind its name and are not looked at.
_SETTINGS = {
    "watch": {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
}
for _name, _function in COMMANDS.items():
    app.command(_name, context_settings=_SETTINGS.get(_name))(_function)

# What other programs call it; nothing in the spelling leads from one to the other.
_OTHER_WORDS = {
    "train": "fit",
    "optimizers": "methods",
    "--learning-rate": "--lr",
    "--optimizer": "--method",
    "--optim": "--method",
    "--iterations": "--steps",
    "--epochs": "--steps",
    "--time": "--seconds",
    "--budget": "--seconds",
    "--label": "--target",
    "--column": "--target",
    "--output": "--out",
    "--dir": "--out",
    "--format": "--to",
}

# typer's own errors. They are click's; newer versions of typer bring click along under another name.
_Misuse: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError")


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command, and turn whatever goes wrong into one line on standard error.

    Args:
        argv: the words after ``descend``; by default those this process was started with.

    Returns:
        The exit code: 0 done, 1 an error that descend did not foresee, 2 wrong use, 3 the descent
        failed, 130 interrupted.
    """
    call = Invocation.now(list(sys.argv[1:] if argv is None else argv), of_process=argv is None)
    survive_any_encoding()
    try:
        code = _dispatch(call)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        silence()
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _failed(call, "interrupted before anything was changed", 130)
    except DescendError as error:
        return _failed(call, str(error), error.exit_code)
    except _Misuse as error:
        return _failed(call, str(_plainly(error, call)), 2)
    except Exception as error:
        if os.environ.get("DESCEND_TRACEBACK"):
            raise
        foreseen = _from_the_machine(error)
        if foreseen is not None:
            return _failed(call, str(foreseen), 2)
        sentence = (
            f"unexpected {type(error).__name__}: {error}; this is a bug in descend (or in your file.py)"
        )
        return _failed(call, sentence + "; DESCEND_TRACEBACK=1 shows where it happened", 1)


def _dispatch(call: Invocation) -> int:
    words = call.arguments or ["--help"]
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        raise UsageError("a command", repr(words[0]), _offer(words[0], list(COMMANDS)) or _listed())
    command = typer.main.get_command(app)
    # Not command.main(): it has ways of its own to end on Ctrl-C and on a broken pipe.
    try:
        with command.make_context("descend", words, obj=call) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as end:
        return end.exit_code


def _failed(call: Invocation, sentence: str, code: int) -> int:
    try:
        complain(sentence, as_json=call.wants_json)
        sys.stdout.flush()
    except OSError:  # nobody reads, or there is no room: Python must not try again at its end
        silence()
    return code


def _listed() -> str:
    return f"choose one of: {', '.join(COMMANDS)}"


def _offer(word: str, known: list[str]) -> str:
    """Offer the known words nearest to this one, or the one that other programs mean by it."""
    meant = _OTHER_WORDS.get(word)
    if meant in known:
        return f"did you mean {meant}?"
    close = get_close_matches(word.lower(), known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else ""


def _plainly(error: Any, call: Invocation) -> UsageError:
    """Say what typer found wrong in our own way: expected, came, do."""
    command = " ".join(["descend", *(word for word in call.arguments[:1] if word in COMMANDS)])
    do = f"see {command} --help"
    flag = getattr(error, "option_name", None)
    if flag is not None and hasattr(error, "possibilities"):
        parameters = getattr(getattr(getattr(error, "ctx", None), "command", None), "params", [])
        known = [word for p in parameters for word in p.opts if word.startswith("--")]
        return UsageError(f"a flag of {command}", flag, _offer(flag, known) or do)
    if flag is not None:
        if "does not take" in error.message:
            return UsageError(f"{flag} alone", "a value behind it", do)
        return UsageError(f"a value for {flag}", "none", do)
    if type(error).__name__ == "MissingParameter":
        flags = [o for o in error.param.opts if o.startswith("--")]
        wanted = " ".join([*flags[:1], error.param.metavar or ""]).strip()
        return UsageError(f"{wanted} behind {command}", "nothing", do)
    if "unexpected extra argument" in error.message:
        extra = error.message.partition("(")[2].rpartition(")")[0].removeprefix("s) (")
        return UsageError(f"nothing more for {command}", extra, f"quote what belongs together, or {do}")
    return UsageError("a command that can be understood", error.format_message(), do)


def _from_the_machine(error: Exception) -> DescendError | None:
    """Recognise what the machine, and not the program, could not do."""
    text = str(error)
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)
    ):
        return UsageError(
            "a descent that fits in memory",
            "out of memory" + (f" ({text.splitlines()[0][:120]})" if text else ""),
            "try a smaller --batch-size, or a smaller model or file",
        )
    if not isinstance(error, OSError):
        return None
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            "room on the disk", f"a full one{where and ' at' + where}", "free some space and go on"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RunError(
            f"permission for{where or ' a file'}", error.strerror or text, "choose another place with --out"
        )
    reason = error.strerror or text
    return RunError(
        "a file that can be read and written", f"{reason}{where and ':' + where}", "check the path"
    )


if __name__ == "__main__":
    sys.exit(run())
