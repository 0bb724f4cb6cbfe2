"""``descend lab``: the page in the browser."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from descend.cli.flags import whole
from descend.cli.options import AsJson
from descend.cli.terminal import say, say_json
from descend.errors import MissingExtra, UsageError

PORT = 8765


def lab(
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder with the runs.")] = Path(
        "runs"
    ),
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole("--port", least=0),
            help="Where it listens [default: 8765, or a free one].",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Listen there too: whoever can reach it and knows the token may start programs"
            " [default: this machine alone].",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    json: AsJson = False,
) -> int:
    """Open the lab: drop balls on surfaces, watch and start runs, and read what descent is."""
    try:
        import starlette  # noqa: F401 - what the lab is made of
        import uvicorn
    except ImportError:
        raise MissingExtra("starlette and uvicorn", "lab", "the lab") from None
    listening = _listen(host or "127.0.0.1", port)
    number = listening.getsockname()[1]
    from descend.lab.security import new_token
    from descend.lab.server import lab as application
    from descend.lab.server import settle

    token = new_token()
    names = {"127.0.0.1", "localhost", "[::1]", *([host] if host else [])}
    address = f"http://{host or '127.0.0.1'}:{number}/?token={token}"
    settle()
    closing = threading.Event()
    hosts = {f"{name}:{number}" for name in names}
    app = application(runs.expanduser().absolute(), token, number, hosts, closing)
    if json:
        say_json({"url": address, "port": number, "token": token, "runs": str(runs)})
    else:
        say(f"The lab is open at {address}")
        say("Ctrl-C closes it.")
    if browser:
        import webbrowser

        webbrowser.open(address)
    _serve(uvicorn, app, listening, closing)
    return 0


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens, on the port that was asked for or on a free one."""
    for number in [port] if port is not None else [PORT, 0]:
        try:
            return socket.create_server((host, number or 0))
        except OSError as error:
            if port is not None:
                raise UsageError(
                    f"a free port at {host}", f"{number}: {error.strerror}", "leave --port out"
                ) from None
    raise UsageError("a free port", "none", "close other programs")


def _serve(uvicorn: Any, app: Any, listening: socket.socket, closing: threading.Event) -> None:
    class Server(uvicorn.Server):
        def handle_exit(self, *given: Any) -> None:
            closing.set()
            super().handle_exit(*given)

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False)
    with contextlib.suppress(KeyboardInterrupt):  # it has closed by then
        Server(config).run(sockets=[listening])
