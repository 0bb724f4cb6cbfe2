"""What one step of every method costs, beside everyone else who has the method.

    python bench/step.py                                   # sets b and d, every method
    python bench/step.py --set a --method adamw lion --threads 2
    python bench/step.py --executor fused foreach --json steps.json --markdown
    python bench/step.py --device cuda --set a c h --markdown      # and with --clip, --captured, ...

Sets of tensors (``bench/tensors.py``): (a) those of GPT-2 124M, (b) of a transformer of 17 million
parameters, (c) 4,000 small ones, (d) of a network for digits, (h) the hidden matrices of (a). For each method
ours and its peers (``bench/peers.py``) take turns in blocks, each in a process of its own, so that a
disturbance meets them all; figures are medians over the rounds, with quartiles.

* ``floor``: the share of a step that its traffic alone would take: every word of w, g and state that the
  equations read or write, once, at the speed of a large copy or of a large pass in place, whichever is
  faster, measured between the blocks. At 1 a step is as fast as memory; what fits into the cache can be
  above it.
* ``first``: seconds for making the optimizer and its first step, in a process that has imported the packages
  and done nothing yet; and again with what that left in the cache on disk, if it left anything. Torch's
  optimizers, and all that build on them, import torch's compiler in their first step: it is imported
  beforehand here, and the time printed once.
* ``bytes``: of state, a parameter, counted after that step.
* ``ratio``: ours to the fastest peer, the median over the rounds.

With ``--clip`` each step shortens the gradient of all parameters to a norm first (ours by ``clip_norm``,
peers by ``torch.nn.utils.clip_grad_norm_``), and the floor counts that the gradients are read twice. With
``--captured`` a step is the replay of a CUDA graph, for ours and for torch's that can be captured. With
``--state-format`` and ``--parameter-format`` ours are stored in fewer bits, and peers stay in float32; so
does the floor.

Matrix methods take what ``descend.optimizer`` routes to them, and so do their peers; the rest is AdamW,
torch's fused one for the peers. Methods that measure curvature do it once, before the clock: the step alone
is timed. What compiles for minutes is taken along with ``--slow``. A peer that fails is reported with its
error. A run of b and d takes some ten minutes on a quiet machine.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from peers import PEERS
from tensors import SETS
from turns import (
    COPY,
    OURS,
    PASSES,
    Failed,
    Setting,
    Worker,
    alone,
    contestant,
    facts,
    import_of_the_compiler,
    memory,
    name_of_the_device,
    period_of,
    take_turns,
)

from descend.methods import TABLE
from descend.methods.method import EXECUTORS


class Group:
    """Contestants that run side by side, as many as memory holds; ours are always among them.

    Args:
        method: its name.
        set_name: of the tensors.
        flags: of the command line.
        caches: the folder for whatever is compiled.
    """

    def __init__(self, method: str, set_name: str, flags: argparse.Namespace, caches: Path):
        self.method, self.flags, self.caches = method, flags, caches
        self.setting = setting_of(set_name, flags)
        self.passes = Worker(caches, flags.limit, memory, self.setting)
        self.passes.answer()
        self.workers: dict[str, Worker] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.speeds: dict[str, list[float]] = {name: [] for name in PASSES}
        self.numbers = sum(torch.Size(s).numel() for s in SETS[set_name][1]().values())

    def join(self, who: str) -> None:
        """Let someone take the first step, and join if it succeeds."""
        # The parameter and its gradient, state, and what a step makes on its way.
        if _free() < 40 * self.numbers and any(not w.startswith(OURS) for w in self.workers):
            self.turns()
        self.rows[who] = row = {}
        call = self.caches, self.flags.limit, contestant, self.method, who, self.setting
        before = _files(self.caches)
        worker = Worker(*call)
        try:
            row |= worker.answer()
            if _files(self.caches) != before and row["first"] < 10:
                row["again"] = alone(*call)["first"]
        except Failed as error:
            row["error"] = str(error)
            worker.end()
        else:
            self.workers[who] = worker

    def turns(self) -> None:
        """Take turns, and let the peers go."""
        period, f = period_of(self.method), self.flags
        found, speeds, left = take_turns(self.workers, self.passes, period, f.seconds, f.longest)
        for who, error in left.items():
            self.rows[who].setdefault("error", error)
        for who, times in found.items():
            self.rows[who].setdefault("times", []).extend(times)
        for name, times in speeds.items():
            self.speeds[name] += times
        _compare(self.rows, list(found))
        self.end([who for who in self.workers if not who.startswith(OURS)])

    def end(self, whos: list[str]) -> None:
        """Let these go."""
        for who in whos:
            self.workers.pop(who).end()


def setting_of(set_name: str, flags: argparse.Namespace) -> Setting:
    """Return what a run on a set is about."""
    named = {"state_format": flags.state_format, "parameter_format": flags.parameter_format}
    given = {name: value for name, value in named.items() if value}
    return Setting(set_name, flags.threads, flags.device, flags.clip, given, flags.captured)


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*"))


def _free() -> int:
    """Return the bytes of memory that are free, or used for nothing but the disk's cache."""
    for row in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if row.startswith("MemAvailable"):
            return 1024 * int(row.split()[1])
    return 2**63


# One method --------------------------------------------------------------------------------------
def measured(method: str, set_name: str, flags: argparse.Namespace) -> dict[str, Any]:
    """Return everything about a method on a set."""
    whos = [f"{OURS} {e}" for e in flags.executor] if flags.executor else [OURS]
    left_out = {}
    for peer in PEERS.get(method, []):
        if peer.slow and not flags.slow:
            left_out[peer.name] = {"error": "left out: it compiles for minutes (--slow)"}
        else:
            whos.append(peer.name)
    result: dict[str, Any] = {"method": method}
    with tempfile.TemporaryDirectory() as folder:
        group = Group(method, set_name, flags, Path(folder))
        try:
            for who in whos:
                group.join(who)
            group.turns()
        finally:
            group.end(list(group.workers))
            group.passes.end()
        rows = group.rows | left_out
        try:
            known = alone(Path(folder), flags.limit, facts, method, setting_of(set_name, flags))
            result["compile_ms"] = 1e3 * known["compile"]
            result["memory_GB_s"] = (
                8 * COPY[flags.device] / min(map(statistics.median, group.speeds.values())) / 1e9
            )
            result["floor_ms"] = 4 * known["words"] / result["memory_GB_s"] / 1e6
        except (Failed, statistics.StatisticsError) as error:
            result["error"] = str(error)
    for row in rows.values():
        if times := row.pop("times", None):
            row["ms"], row["quartiles"] = 1e3 * statistics.median(times), [1e3 * q for q in _quartiles(times)]
            row["rounds"] = len(times)
            if "floor_ms" in result:
                row["floor"] = result["floor_ms"] / row["ms"]
    return result | {"rows": [{"who": who, **row} for who, row in rows.items()]}


def _compare(rows: dict[str, dict[str, Any]], group: list[str]) -> None:
    """Note the ratio of ours to the fastest peer so far, round by round."""
    peers = [who for who in group if not who.startswith(OURS)]
    if not peers:
        return
    n = len(rows[peers[0]]["times"])
    fastest = min(peers, key=lambda who: statistics.median(rows[who]["times"]))
    for who in set(group) - set(peers):
        pairs = zip(rows[who]["times"][-n:], rows[fastest]["times"], strict=True)
        ratios = [mine / other for mine, other in pairs]
        if statistics.median(ratios) > rows[who].get("ratio", 0.0):
            rows[who] |= {
                "fastest": fastest,
                "ratio": statistics.median(ratios),
                "ratio_quartiles": _quartiles(ratios),
            }


def _quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4, method="inclusive")[::2] if len(values) > 1 else values * 2


# What is said ------------------------------------------------------------------------------------
HEAD = f"{'method':18}{'who':26}{'ms':>10}  {'quartiles':17}{'floor':>6}" + "  first, again (s)  bytes  ratio"


def line(method: str, row: dict[str, Any]) -> str:
    start = f"{method:18}{row['who']:26}"
    if "ms" not in row:
        return f"{start}  {row.get('error', 'nothing')}"
    low, high = row["quartiles"]
    again = f", {row['again']:.3f}" if row.get("again") is not None else ""
    said = f"{start}{row['ms']:10.4g}  {f'{low:.4g}–{high:.4g}':17}{row.get('floor', float('nan')):6.2f}"
    said += f"{row['first']:.3f}{again}".rjust(18) + f"{row['bytes']:7.2f}"
    if "ratio" in row:
        low, high = row["ratio_quartiles"]
        said += f"  {row['ratio']:.2f} ({low:.2f}–{high:.2f}) to {row['fastest']}"
    return said


def markdown(title: str, found: list[dict[str, Any]]) -> str:
    """Return a set's table for docs/performance.md."""
    out = [f"### {title}", "", "| method | ms | floor | first, again (s) | bytes | ratio | peers (ms) |"]
    out.append("|---|--:|--:|--:|--:|--:|---|")
    for one in found:
        for row in one["rows"]:
            if not row["who"].startswith(OURS):
                continue
            others = [
                f"{r['who']} {r['ms']:.3g}" if "ms" in r else f"{r['who']}: {r.get('error')}"
                for r in one["rows"]
                if not r["who"].startswith(OURS) and not _left_out(r)
            ]
            name = f"{one['method']}{row['who'].removeprefix(OURS)}"
            if "ms" not in row:
                out.append(f"| {name} | {row.get('error')} | | | | | {', '.join(others)} |")
                continue
            again = f", {row['again']:.2f}" if row.get("again") is not None else ""
            cells = [name, f"{row['ms']:.3g}", f"{row['floor']:.2f}", f"{row['first']:.2f}{again}"]
            cells += [
                f"{row['bytes']:.3g}",
                f"{row['ratio']:.2f}" if "ratio" in row else "–",
                ", ".join(others),
            ]
            out.append(f"| {' | '.join(cells)} |")
    slow = [f"{one['method']} ({r['who']})" for one in found for r in one["rows"] if _left_out(r)]
    if slow:
        out += ["", f"Left out, because they compile for minutes (`--slow`): {', '.join(slow)}."]
    return "\n".join(out) + "\n"


def _left_out(row: dict[str, Any]) -> bool:
    return str(row.get("error", "")).startswith("left out")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--set", nargs="+", choices=SETS, default=["b", "d"], help="default: b d")
    parser.add_argument("--method", nargs="+", choices=TABLE, default=list(TABLE), metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=COPY, default="cpu")
    parser.add_argument("--clip", action="store_true", help="shorten the gradient to a norm in each step")
    parser.add_argument("--captured", action="store_true", help="replay steps of a CUDA graph")
    parser.add_argument("--state-format", choices=["bfloat16", "8-bit"], help="of ours")
    parser.add_argument(
        "--parameter-format", choices=["bfloat16", "bfloat16+8", "bfloat16+16"], help="of ours"
    )
    parser.add_argument("--executor", nargs="+", choices=EXECUTORS, help="default: the methods' own")
    parser.add_argument("--seconds", type=float, default=1.0, help="of taking turns, a method and set")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds that a block may take")
    parser.add_argument("--longest", type=float, default=20.0, help="seconds that one round may take")
    parser.add_argument("--slow", action="store_true", help="also what compiles for minutes")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md too")
    flags = parser.parse_args()
    if flags.captured and flags.device != "cuda":
        parser.error("--captured: expected --device cuda, for CUDA graphs replay steps there")
    for package in ("pytorch_optimizer", "optimi", "schedulefree"):  # what many share is imported once
        try:
            import_module(package)
        except ImportError:
            continue
    machine = f"{platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}"
    if flags.device == "cuda":
        machine += f", {alone(Path(), flags.limit, name_of_the_device)}"
    importing = alone(Path(), flags.limit, import_of_the_compiler)
    import_module("torch._dynamo")
    results = []
    for set_name in flags.set:
        shapes = [torch.Size(s) for s in SETS[set_name][1]().values()]
        numbers = sum(s.numel() for s in shapes)
        title = f"({set_name}) {SETS[set_name][0]}: {len(shapes)} tensors, {numbers:,} numbers"
        print(f"{title}; {flags.threads} thread(s); {machine}\n{HEAD}", flush=True)
        found = []
        for method in flags.method:
            found.append(measured(method, set_name, flags))
            for row in found[-1]["rows"]:
                print(line(method, row), flush=True)
        results.append({"set": set_name, "title": title, "methods": found})
        rates = [one["memory_GB_s"] for one in found if "memory_GB_s" in one]
        if rates:
            print(f"memory: {min(rates):.1f} to {max(rates):.1f} GB/s, reads and writes together")
        made = [one["compile_ms"] for one in found if "compile_ms" in one]
        if made:
            print(
                f"a method's equations become programs in {min(made):.1f} to {max(made):.1f} ms\n", flush=True
            )
    print(f"torch's optimizers import torch's compiler in their first step: {importing:.2f} s more\n")
    if flags.markdown:
        print("\n".join(markdown(one["title"], one["methods"]) for one in results))
    if flags.json:
        facts_of_run = {
            "machine": machine,
            "threads": flags.threads,
            "importing_s": importing,
            "sets": results,
        }
        flags.json.write_text(json.dumps(facts_of_run, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
