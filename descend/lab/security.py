"""Who may talk to the lab: the person who started it, from their own browser, and nobody else.

A page that listens on one's own machine can be reached by every page that is open in the same browser, and by
names that an attacker lets point at 127.0.0.1 (DNS rebinding). So each request must name a host that the lab
was opened under, come from no other origin, and carry a token that only the terminal showed.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of the lab's own page: nothing inline, nothing from elsewhere."""
DOCUMENT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of reports and landscapes, which carry scripts of their own: they have no origin, and so no token."""
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_AT_MOST = 1 << 20
"""Bytes of a request's body."""


def new_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets requests through that may be answered, and gives every answer its policy.

    Args:
        app: what answers.
        token: the secret.
        hosts: what a request may name as its host, with the port.
        cookie: the name of the cookie that carries the token; cookies are shared by all ports of a host.
    """

    def __init__(self, app: App, token: str, hosts: set[str], cookie: str):
        self.app, self.token, self.hosts, self.cookie = app, token, hosts, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, why = self._refused(scope, headers)
        if status:
            await _say(send, status, why)
            return
        shown = self._token_shown(scope)

        async def with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                more = [pair for pair in _ALWAYS if pair[0] not in own]
                if b"content-security-policy" not in own:
                    more.append((b"content-security-policy", POLICY.encode()))
                if b"cache-control" not in own:
                    more.append((b"cache-control", b"no-store"))
                if shown:
                    cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
                    more.append((b"set-cookie", cookie.encode()))
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self.app(scope, receive, with_policy)

    def _refused(self, scope: Scope, headers: MutableMapping[bytes, str]) -> tuple[int, str]:
        host = headers.get(b"host", "").lower()
        if host not in self.hosts:
            return 421, "this address is not the lab's: open the one that `descend lab` printed"
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in {f"http://{name}" for name in self.hosts}:
            return 403, "requests from other pages are refused"
        if headers.get(b"sec-fetch-site") in ("cross-site", "same-site") and scope["path"] != "/":
            return 403, "requests from other pages are refused"
        if scope["method"] not in ("GET", "HEAD") and origin is None:
            return 403, "a request that changes something must say where it comes from"
        if not (self._token_shown(scope) or self._known(headers)):
            return 401, "open the address that `descend lab` printed: it carries a token"
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > _AT_MOST or b"transfer-encoding" in headers:
            return 413, f"at most {_AT_MOST:,} bytes"
        return 0, ""

    def _token_shown(self, scope: Scope) -> bool:
        """Whether the address itself carries the token: the page alone takes it so."""
        if scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return self._same(given)

    def _known(self, headers: MutableMapping[bytes, str]) -> bool:
        bearer = headers.get(b"authorization", "")
        if bearer.startswith("Bearer ") and self._same(bearer.removeprefix("Bearer ")):
            return True
        try:
            cookies = SimpleCookie(headers.get(b"cookie", ""))
        except CookieError:
            return False
        return self.cookie in cookies and self._same(cookies[self.cookie].value)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


async def _say(send: Send, status: int, why: str) -> None:
    body = (why + "\n").encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'"),
        *_ALWAYS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
