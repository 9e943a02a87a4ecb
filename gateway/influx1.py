"""A database of InfluxDB 1.x: the same lines to `/write`, deletions to `/query`; and which server it is."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from gateway.influx import (
    ANSWER_MS,
    CONNECT_MS,
    SQUEEZE,
    VARIABLES,
    Kept,
    Refused,
    Settings,
    SettingsError,
    meaning,
)

OLD = {
    "db": "GONGI_INFLUX_DB",
    "user": "GONGI_INFLUX_USER",
    "password": "GONGI_INFLUX_PASSWORD",
}
_CONFIGURATION = {
    401: "InfluxDB doesn't know this user: check GONGI_INFLUX_USER and GONGI_INFLUX_PASSWORD",
    403: "this user may not write here: check GONGI_INFLUX_USER and GONGI_INFLUX_DB",
    404: "no such database: check GONGI_INFLUX_URL and GONGI_INFLUX_DB",
}


@dataclass(frozen=True, slots=True)
class Login:
    """Which database of an InfluxDB 1.x to write to, and as whom (empty: as nobody); the password is shown
    nowhere."""

    url: str
    db: str
    user: str = ""
    password: str = field(default="", repr=False)

    def open(self) -> "Database":
        """The database, without a word to it yet."""
        return Database(self)


def configured(environment: Mapping[str, str]) -> Settings | Login | None:
    """The server that `GONGI_INFLUX_*` names: with a database it is a 1.x, with a bucket a 2.x; None where
    nothing is set; raises `SettingsError`."""
    old = {key: environment.get(name, "").strip() for key, name in OLD.items()}
    if not any(old.values()):
        return Settings.of(environment)
    new = [name for key, name in VARIABLES.items() if key != "url" and environment.get(name, "").strip()]
    if new:
        advice = f"unset {' and '.join(new)} for an InfluxDB 1.x, GONGI_INFLUX_DB for a 2.x"
        raise SettingsError("two kinds of InfluxDB are configured", ", ".join([OLD["db"], *new]), advice)
    url = environment.get(VARIABLES["url"], "").strip()
    for name, word in ((VARIABLES["url"], url), (OLD["db"], old["db"])):
        if not word:
            raise SettingsError("InfluxDB is configured in part", name, f"set {name}")
    if not re.match(r"https?://[^/\s]+", url):
        raise SettingsError(f"not an address: {url}", VARIABLES["url"], "such as http://127.0.0.1:8086")
    return Login(url, **old)


class Database:
    """One database of an InfluxDB 1.x, which has to be there; its calls raise `Refused` or `Kept` alone."""

    def __init__(self, login: Login) -> None:
        timeout = urllib3.Timeout(connect=CONNECT_MS / 1000, read=ANSWER_MS / 1000)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)
        self._base, self._db = login.url.rstrip("/"), login.db
        # In the header, not in the address: addresses end in logs.
        self._head = urllib3.make_headers(basic_auth=f"{login.user}:{login.password}") if login.user else {}

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def write(self, lines: Sequence[str]) -> None:
        """Write lines of nanosecond precision in one request."""
        body = gzip.compress("\n".join(lines).encode(), SQUEEZE)
        self._ask("/write", {"precision": "ns"}, body, {"Content-Encoding": "gzip"})

    def erase(self, measurement: str, tags: Mapping[str, str], first: int, last: int) -> None:
        """Delete the points with these tags from `first` to `last` [ns], both included."""
        where = [f""""{key}" = '{_quoted(word)}'""" for key, word in tags.items() if word]
        said = " AND ".join([*where, f"time >= {first}", f"time <= {last}"])
        body = urlencode({"q": f'DELETE FROM "{measurement}" WHERE {said}'}).encode()
        answer = self._ask("/query", {}, body, {"Content-Type": "application/x-www-form-urlencoded"})
        # What InfluxQL refuses, it says with status 200.
        for error in (one["error"] for one in answer.get("results", ()) if "error" in one):
            raise _refused(error)

    def _ask(
        self, path: str, more: Mapping[str, str], body: bytes, head: Mapping[str, str]
    ) -> dict[str, Any]:
        address = f"{self._base}{path}?{urlencode({'db': self._db, **more})}"
        try:
            reply = self._pool.request("POST", address, body=body, headers={**self._head, **head})
        except (HTTPError, OSError) as error:
            raise Kept(f"InfluxDB doesn't answer ({type(error).__name__})") from error
        text = reply.data.decode(errors="replace")
        if reply.status // 100 != 2:
            raise meaning(reply.status, text, reply.headers, _CONFIGURATION)
        return dict(json.loads(text)) if text else {}


def _refused(error: str) -> Refused | Kept:
    """A query's error: without its database, everything is to be kept."""
    return Kept(f"{_CONFIGURATION[404]} ({error})") if "database not found" in error else Refused(error)


def _quoted(word: str) -> str:
    return word.replace("\\", "\\\\").replace("'", "\\'")
