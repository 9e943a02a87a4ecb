"""The console's web server, in a thread of its own."""

import socket
from threading import Event, Thread

import uvicorn
from fastapi import FastAPI

from edge.problem import Problem

START_S = 20.0
"""How long the server may take to answer [s]."""
ADVICE = "name another address: --console HOST:PORT (port 0 takes a free one)"


class Unserved(Problem):
    """The console could not be started: the address is taken or not this machine's."""


class Serving:
    """A running console; `port` is the real one where 0 was asked for."""

    def __init__(self, app: FastAPI, host: str, listener: socket.socket) -> None:
        self.host = host
        self.port: int = listener.getsockname()[1]
        self._app = app
        self._listener = listener
        self._started = Event()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        self._server = _Server(config, self._started)
        self._thread = Thread(target=self._run, name="console", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.host}:{self.port}/"

    def start(self) -> None:
        """Returns when it answers. Raises `Unserved`."""
        self._thread.start()
        if not self._started.wait(START_S):
            raise Unserved(f"the console at {self.url} did not start within {START_S:.0f} s")

    def stop(self) -> None:
        """Ends its streams, then the server; returns when both have ended."""
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


class _Server(uvicorn.Server):
    """Tells when it answers, and lets the app's streams end before it waits for them."""

    def __init__(self, config: uvicorn.Config, started: Event) -> None:
        super().__init__(config)
        self._answers = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._answers.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.desk.closing.set()  # type: ignore[union-attr]  # we were given a FastAPI
        await super().shutdown(sockets)


def serve_console(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Serving:
    """Serves the app in a daemon thread; port 0 takes a free one. Raises `Unserved`."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise Unserved(f"the console can't listen on {host}:{port}: {why}", advice=ADVICE) from error
    serving = Serving(app, host, listener)
    serving.start()
    return serving
