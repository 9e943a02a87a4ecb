"""A service on loopback that answers as it is told: what adapters are tested against.

Its answers are written by the documented shape of each service; none was recorded from the service itself.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.reference.cache import Cache
from gateway.reference.sources import ACCESSES
from gateway.reference.transport import Access, Client

KEY = "se/cret+key=="
"""As the portal's decoded keys are: it must be encoded, and seen nowhere."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; `cut` sends that many bytes of it and hangs up, `trickle` waits so long [s] after each."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    trickle: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


Script = Callable[[Asked], Said]


class Service:
    """Answers by a script or, one after the other, by a list whose last one stays; `asked` is what came."""

    def __init__(self, script: Script | Sequence[Said]) -> None:
        self.asked: list[Asked] = []
        self._script = script if callable(script) else self._in_turn(list(script))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def _in_turn(self, answers: list[Said]) -> Script:
        return lambda asked: answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                asked = Asked(parts.path, query, {k.lower(): v for k, v in self.headers.items()})
                service.asked.append(asked)
                service.answer(self, service._script(asked))

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    @staticmethod
    def answer(handler: BaseHTTPRequestHandler, said: Said) -> None:
        handler.send_response(said.status)
        for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        body = said.body[: said.cut]
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked may have had enough
            for piece in [body] if not said.trickle else [body[n : n + 1] for n in range(len(body))]:
                handler.wfile.write(piece)
                handler.wfile.flush()
                time.sleep(said.trickle)


@contextmanager
def asking(
    script: Script | Sequence[Said],
    cache: Cache | None = None,
    key: str = KEY,
    slept: list[float] | None = None,
) -> Iterator[tuple[Client, Service]]:
    """A client of all sources whose service is one script on loopback; it waits in `slept` alone."""
    waits = slept if slept is not None else []
    with Service(script) as service:
        bases = dict.fromkeys(ACCESSES, service.url)
        unhurried = {name: Access(one.base, one.variable, 0.0) for name, one in ACCESSES.items()}
        keys = {one.variable: key for one in ACCESSES.values()}
        client = Client(unhurried, keys, bases, cache or Cache(None), waits.append)
        try:
            yield client, service
        finally:
            client.close()


def portal(items: Sequence[Mapping[str, Any]], total: int | None = None, wrapped: bool = False) -> Said:
    """A page of the public data portal; KMA's services wrap the rows once more."""
    rows: object = {"item": list(items)} if wrapped else list(items)
    count = len(items) if total is None else total
    body = {"items": rows, "pageNo": 1, "numOfRows": len(items), "totalCount": count}
    header = {"resultCode": "00", "resultMsg": "NORMAL_CODE"}
    return Said(json.dumps({"response": {"header": header, "body": body}}, ensure_ascii=False).encode())


def gateway_error(name: str, code: str, status: int = 200) -> Said:
    """The portal's gateway speaks XML whatever was asked for."""
    return Said(
        (
            "<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg>"
            f"<returnAuthMsg>{name}</returnAuthMsg><returnReasonCode>{code}</returnReasonCode>"
            "</cmmMsgHeader></OpenAPI_ServiceResponse>"
        ).encode(),
        status,
    )
