"""The console as one ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.api import api, root
from gateway.console.board import Board
from gateway.console.desk import Desk
from gateway.console.faults import answer_faults
from gateway.console.orders import orders
from gateway.console.pages import HERE, pages
from gateway.console.past import History
from gateway.console.pulse import Pulse
from gateway.live import Live
from gateway.override import Overrides

ABOUT = (
    "Air in schools; only an actuator's level can be set, for a time. Every answer with data carries a "
    "`notice`: measured by a simple monitor (간이측정기), its certification grade, and that it is not data "
    "of the national network. Times are UTC."
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    live: Live,
    history: History,
    ledger: Callable[[], Mapping[str, Any]],
    metrics: Callable[[], bytes],
    pulse: Pulse | None = None,
    tick_s: float = 1.0,
    overrides: Overrides | None = None,
    token: str = "",
) -> FastAPI:
    """The console over the gateway's present `live`, its `history`, and two calls that give the ledger (JSON)
    and the counters (Prometheus's text); events are looked for every `tick_s` [s of the machine]. Who knows
    the `token`, or without one this machine alone, may set `overrides`."""
    pulse = pulse or Pulse(live)
    desk = Desk(Board(live, pulse), history, ledger, metrics, tick_s, overrides, token)
    app = FastAPI(
        title="Gongi",
        version=version("gongi"),
        description=ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_watching(pulse, tick_s),
    )
    app.state.desk = desk
    app.include_router(api)
    app.include_router(orders)
    app.include_router(root)
    app.include_router(pages)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_middleware(Guarded)
    answer_faults(app)
    return app


def _watching(pulse: Pulse, tick_s: float) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(_watch(pulse, tick_s), name="console pulse")
        try:
            yield
        finally:
            watch.cancel()

    return lifespan


async def _watch(pulse: Pulse, tick_s: float) -> None:
    """Until the console stops."""
    while True:
        pulse.observe()
        await asyncio.sleep(tick_s)


class Guarded:
    """Adds the security headers to every answer; streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)
