"""The lab's server: which address answers with what. What takes time runs on threads of its own."""

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from torch import Tensor

from descend.errors import DescendError, UsageError
from descend.lab.breaking import BROKEN, diagnosed
from descend.lab.scenes import SCENES, scene
from descend.lab.security import DOCUMENT, App, Guard
from descend.lab.seeing import Runs
from descend.lab.training import Fits
from descend.lab.walking import FAULTS, MOST_STEPS, Walker, sensitivity, walk
from descend.methods import CURVATURE, TABLE
from descend.runs.run import Run

ASSETS = Path(__file__).with_name("assets")
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
EVERY = 0.1
"""Seconds between two looks at a run that is followed."""
PATIENCE = 30
"""Looks in a row that may fail."""
BREATH = 15.0
"""Seconds after which a silent stream says that it is still there."""


def lab(folder: Path, token: str, port: int, hosts: set[str], closing: threading.Event | None = None) -> App:
    """Return the lab, an ASGI application.

    Args:
        folder: the runs' folder.
        token: the secret that the address carries.
        port: on which it listens; part of the cookie's name.
        hosts: what requests may name as their host.
        closing: set when it is about to close: whoever follows a run is let go.
    """
    runs, fits = Runs(folder), Fits(folder)
    closes = closing or threading.Event()

    async def page(request: Request) -> Response:
        return HTMLResponse((ASSETS / "index.html").read_text(encoding="utf-8"))

    async def asset(request: Request) -> Response:
        path = ASSETS / request.path_params["name"]
        if path.parent != ASSETS or path.suffix not in KINDS or not path.is_file():
            return _said({"error": "no such file"}, 404)
        return FileResponse(path, media_type=KINDS[path.suffix], headers={"cache-control": "no-cache"})

    # Playground -----------------------------------------------------------------------------------
    def scenes(_: Request, __: dict[str, Any]) -> Any:
        return {"scenes": list(SCENES), "methods": _methods(), "faults": FAULTS, "broken": BROKEN}

    def ground(request: Request, __: dict[str, Any]) -> Any:
        return _ground(request.path_params["name"])

    def walks(request: Request, body: dict[str, Any]) -> Any:
        where = scene(request.path_params["name"])
        wanted = body.get("walkers")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= 4:
            raise UsageError("one to four walkers", repr(wanted)[:80], "send a list of them")
        return {"walks": [walk(where, _walker(one)) for one in wanted]}

    def rates(request: Request, body: dict[str, Any]) -> Any:
        return sensitivity(scene(request.path_params["name"]), _walker(body))

    def broken(_: Request, body: dict[str, Any]) -> Any:
        return diagnosed(str(body.get("fault", "")))

    # Runs -------------------------------------------------------------------------------------------
    def listed(request: Request, __: dict[str, Any]) -> Any:
        asked = request.query_params
        found = runs.page(
            asked.get("search", ""), _whole(asked.get("first"), 0), _whole(asked.get("count"), 60)
        )
        return found | fits.state()

    def one(request: Request, __: dict[str, Any]) -> Any:
        return runs.whole(request.path_params["run"])

    def curve(request: Request, __: dict[str, Any]) -> Any:
        asked = request.query_params
        low, high = asked.get("low"), asked.get("high")
        name = request.path_params["run"]
        if name in fits.state()["going"] and not (runs.folder / name / "run.json").exists():
            return runs.nothing(asked.get("series", "loss"))  # it has only just been started
        return runs.curve(
            name,
            asked.get("series", "loss"),
            min(_whole(asked.get("points"), 1500), 20_000),
            None if low is None else _whole(low, 0),
            None if high is None else _whole(high, 0),
        )

    def start(_: Request, body: dict[str, Any]) -> Any:
        options = {k: v for k, v in body.items() if k != "subject"}
        return {"run": fits.start(str(body.get("subject", "")), options)}

    def stop(request: Request, _: dict[str, Any]) -> Any:
        runs.place(request.path_params["run"])
        fits.stop(request.path_params["run"])
        return {}

    def resume(request: Request, _: dict[str, Any]) -> Any:
        name = request.path_params["run"]
        facts = json.loads((runs.place(name) / "run.json").read_bytes())
        fits.resume(name, str(facts.get("command") or ""))
        return {}

    def look(request: Request, body: dict[str, Any]) -> Any:
        return _landscape(runs.place(request.path_params["run"]), body)

    async def document(request: Request) -> Response:
        try:
            place = runs.place(request.path_params["run"])
        except DescendError as error:
            return _said({"error": str(error)}, 404)
        name = {"report": "report.html", "landscape": "landscape.html"}.get(request.path_params["what"])
        if name is None or not (place / name).is_file():
            return _said({"error": "there is none yet"}, 404)
        return FileResponse(
            place / name, media_type="text/html", headers={"content-security-policy": DOCUMENT}
        )

    async def live(request: Request) -> Response:
        name, series = request.path_params["run"], request.query_params.get("series", "loss")
        try:
            runs.place(name)
        except DescendError as error:
            return _said({"error": str(error)}, 404)
        after = _whole(request.query_params.get("after"), 0)

        async def gone() -> bool:
            return closes.is_set() or await request.is_disconnected()

        stream = _followed(runs, name, series, after, gone)
        return StreamingResponse(stream, media_type="text/event-stream")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(fits.close)

    routes = [
        Route("/", page),
        Route("/assets/{name}", asset),
        _get("/api/playground", scenes),
        _get("/api/playground/{name}", ground),
        _post("/api/playground/{name}/walks", walks),
        _post("/api/playground/{name}/rates", rates),
        _post("/api/broken", broken),
        _get("/api/runs", listed),
        _get("/api/runs/{run}", one),
        _get("/api/runs/{run}/curve", curve),
        Route("/api/runs/{run}/live", live),
        _post("/api/runs/{run}/stop", stop),
        _post("/api/runs/{run}/resume", resume),
        _post("/api/runs/{run}/look", look),
        _post("/api/fit", start),
        Route("/runs/{run}/{what}", document),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), token, hosts, f"descend-lab-{port}")


# Answers ---------------------------------------------------------------------------------------------
Answer = Callable[[Request, dict[str, Any]], Any]


def _get(path: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        return await _answered(answer, request, {})

    return Route(path, endpoint, methods=["GET"])


def _post(path: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            if not isinstance(body, dict):
                raise ValueError
        except ValueError:
            return _said({"error": "expected a JSON object"}, 400)
        return await _answered(answer, request, body)

    return Route(path, endpoint, methods=["POST"])


async def _answered(answer: Answer, request: Request, body: dict[str, Any]) -> Response:
    """Answer on a thread; what a person can mend is one sentence, with 400."""
    try:
        return _said(await run_in_threadpool(answer, request, body))
    except DescendError as error:
        return _said({"error": str(error)}, 400)
    except (OverflowError, RuntimeError) as error:  # such as numbers that torch cannot take
        return _said({"error": f"it cannot be computed: {str(error).splitlines()[0][:200]}"}, 400)


def _said(value: Any, status: int = 200) -> Response:
    text = json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: tensors as lists with six digits, what is no number as null."""
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.lstrip("-").isdigit() or len(text) > 18:
        raise UsageError("a whole number", repr(text[:40]), "leave it out")
    return max(0, int(text))


@cache
def _ground(name: str) -> dict[str, Any]:
    """Return what the page draws of a scene."""
    where = scene(name)
    start = where.at(*where.start)
    return {
        "name": where.name,
        "title": where.title,
        "teaches": where.teaches,
        "labels": where.plane.labels,
        "spans": where.plane.spans,
        "start": where.start,
        "lr": where.lr,
        "minimisers": where.minimisers,
        "heights": where.heights(81 if where.exact else 49),
        "sharpness": float(where.sharpness(start[None])[0]),
        "exact": where.exact,
        "examples": where.examples,
        "parameters": where.losses.layout.count,
    }


def _walker(given: Any) -> Walker:
    """Read a walker from JSON.

    Raises:
        UsageError: where something in it is of another kind.
    """
    if not isinstance(given, dict):
        raise UsageError("a walker as a JSON object", repr(given)[:80], "name its method")
    try:
        x, y = given.get("start", (0.0, 0.0))
        lr, batch = given.get("lr"), given.get("batch")
        return Walker(
            method=str(given.get("method", "sgd")),
            lr=None if lr is None else float(lr),
            hyperparameters=dict(given.get("hyperparameters") or {}),
            start=(float(x), float(y)),
            steps=max(1, min(int(given.get("steps", 200)), MOST_STEPS)),
            batch=None if not batch else max(1, int(batch)),
            noise=float(given.get("noise", 0.0)),
            seed=int(given.get("seed", 0)) % 2**31,
            fault=str(given.get("fault", "")),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError("numbers in a walker", str(error), "check it") from None


def _methods() -> list[dict[str, Any]]:
    """Return the methods that a ball can go by, with what the page asks of each."""
    found = []
    for name, cls in {**TABLE, **CURVATURE}.items():
        if getattr(cls, "of_squares", False) or name == "gaussnewton":
            continue
        found.append(
            {
                "name": name,
                "title": cls.__name__,
                "summary": cls.summary,
                "equation": cls.equation,
                "lr": cls.defaults.get("lr"),
                "momentum": cls.defaults.get("momentum"),
                "family": cls.family,
            }
        )
    return found


def _landscape(place: Path, body: dict[str, Any]) -> dict[str, Any]:
    """Look at a run's landscape, and leave its page in the run's folder."""
    from descend.landscapes.landscape import landscape
    from descend.landscapes.saving import keep

    kind = body.get("kind")
    run = Run.open(place)
    seen = landscape(run, None if kind is None else str(kind), points=35, examples=500)
    seen.save(place / "landscape.html")
    keep(seen, run)
    return {"kind": seen.kind, "said": seen.sentences(), "seconds": seen.seconds}


async def _followed(
    runs: Runs, name: str, series: str, after: int, gone: Callable[[], Any]
) -> AsyncIterator[bytes]:
    """Yield what a run records as it is recorded, as server-sent events; the last one says that it ended."""
    silent, failed = 0.0, 0
    while not await gone():
        try:
            steps, values = await run_in_threadpool(runs.since, name, series, after)
            facts = await run_in_threadpool(runs.facts, name)
        except DescendError as error:
            failed += 1
            if failed > PATIENCE:  # a record that is just being made has no table yet
                yield _event("error", {"error": str(error)})
                return
            await asyncio.sleep(EVERY)
            continue
        failed = 0
        if steps:
            after, silent = steps[-1], 0.0
            yield _event("points", {"steps": steps, "values": values})
        elif silent >= BREATH:
            silent = 0.0
            yield b": still there\n\n"
        if facts.get("finished"):
            yield _event("ended", facts)
            return
        await asyncio.sleep(EVERY)
        silent += EVERY


def _event(kind: str, value: Any) -> bytes:
    text = json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()


def settle() -> None:
    """Take one thread for each small computation: the lab's many requests share the cores."""
    torch.set_num_threads(1)
