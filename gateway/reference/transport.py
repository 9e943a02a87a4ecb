"""The one place that asks sources: at their pace, again after a fault, from the cache where that is fresh."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote, unquote, urlencode

import structlog
import urllib3

from gateway.reference.cache import Cache, Kept
from gateway.reference.problem import (
    KeyMissing,
    KeyRefused,
    NotAnswering,
    QuotaSpent,
    Refused,
    SourceProblem,
    Unreadable,
)

log = structlog.get_logger()

KEY = "{key}"
"""Stands for the key in a request; it is put in just before sending, so no log or file name ever has it."""

MOST_BYTES = 16_000_000
PIECE = 65_536
ATTEMPTS = 4
FIRST_S, CAP_S = 1.0, 30.0
PATIENCE_S = 120.0
"""The longest wait that a server may ask for; where it wants more, that is told instead."""
TIMEOUT = urllib3.Timeout(connect=5.0, read=20.0)
DEADLINE_S = 60.0
"""Seconds that one answer may take in all, however it trickles."""
NOTHING: tuple[object, ...] = ([], ([], 0))
"""What parsers make of an answer without rows: it isn't kept, they may come."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask a source: `path` below its base address, query and headers with `{key}` where the key
    belongs; an answer younger than `fresh` [s] is taken from the cache."""

    source: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    fresh: float = 0.0

    @property
    def name(self) -> str:
        """The request without its key."""
        return f"{self.source} {self.path}" + (f"?{urlencode(self.query, safe='{}')}" if self.query else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status, headers in lower case, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Access:
    """How a source is reached: base address, the environment's name of its key (empty: it wants none), the
    least seconds between two requests."""

    base: str
    variable: str
    pace: float


@dataclass
class Client:
    """Asks sources; `keys` by the environment's name, `bases` override addresses by source."""

    accesses: Mapping[str, Access]
    keys: Mapping[str, str] = field(repr=False)
    bases: Mapping[str, str] = field(default_factory=dict)
    cache: Cache = field(default_factory=lambda: Cache(None))
    sleep: Callable[[float], object] = time.sleep
    asked: int = 0
    retried: int = 0
    cached: int = 0
    _next: dict[str, float] = field(default_factory=dict, repr=False)
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(num_pools=8), repr=False)

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def fetch(self, request: Request, parse: Callable[[Answer], T]) -> T:
        """What `parse` makes of the answer; only what it accepts is kept. Raises `SourceProblem`."""
        kept = self.cache.find(request.name)
        if kept and self.cache.age(kept) < request.fresh:
            # What an older version kept, this one may not read: then it is asked for.
            with suppress(SourceProblem):
                made = parse(Answer(200, {}, kept.body))
                self.cached += 1
                return made
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(request, kept, parse)
            except SourceProblem as problem:
                if not problem.again or attempt == ATTEMPTS:
                    raise
                self.retried += 1
                log.info("reference asked again", request=request.name, reason=problem.what)
                self.sleep(_backoff(attempt))
            except _Wait as wish:
                self._patient(request, wish.seconds, attempt)
        raise AssertionError("the last attempt returns or raises")

    def _patient(self, request: Request, seconds: float, attempt: int) -> None:
        if seconds > PATIENCE_S or attempt == ATTEMPTS:
            advice = f"ask again in {max(seconds, 60) / 60:.0f} minutes, or for fewer stations and hours"
            raise QuotaSpent("the source wants no more requests for now", request.source, advice)
        self.retried += 1
        self.sleep(max(seconds, _backoff(attempt)))

    def _once(self, request: Request, kept: Kept | None, parse: Callable[[Answer], T]) -> T:
        answer = self._send(request, kept)
        if answer.status == 304 and kept:
            answer = Answer(200, answer.headers, kept.body)
        _judge(answer, request)
        made = parse(answer)
        if made not in NOTHING:
            # An answer of "unchanged" may leave out what marked the first.
            etag = answer.headers.get("etag", kept.etag if kept else "")
            modified = answer.headers.get("last-modified", kept.modified if kept else "")
            self.cache.keep(Kept(request.name, self.cache.now(), answer.body, etag, modified))
        return made

    # -- one exchange -----------------------------------------------------------------------------------

    def _send(self, request: Request, kept: Kept | None) -> Answer:
        access = self.accesses[request.source]
        key = self._key(access, request)
        url = self.bases.get(request.source, access.base).rstrip("/") + request.path.replace(
            KEY, quote(key, "")
        )
        if request.query:
            url += "?" + urlencode([(name, value.replace(KEY, key)) for name, value in request.query])
        headers = {name: value.replace(KEY, key) for name, value in request.headers}
        self._take_turn(request.source, access.pace)
        self.asked += 1
        try:
            return self._read(url, headers | _conditions(kept))
        # The library's own texts name the address, and with it the key.
        except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            why = f"it doesn't answer ({type(error).__name__})"
        raise NotAnswering(why, request.source, "is the network up, and the address right?")

    def _read(self, url: str, headers: Mapping[str, str]) -> Answer:
        began = time.monotonic()
        sent = {"User-Agent": "gongi (school air)", "Accept-Encoding": "gzip", **headers}
        # Redirects aren't followed: the key would go to whoever is named there.
        answer = self._pool.request(
            "GET", url, headers=sent, timeout=TIMEOUT, retries=False, redirect=False, preload_content=False
        )
        try:
            body = bytearray()
            # What has come, and no more: a whole piece of a trickling answer would be waited for.
            while chunk := answer.read1(PIECE):
                body += chunk
                if len(body) > MOST_BYTES or time.monotonic() - began > DEADLINE_S:
                    answer.close()
                    raise urllib3.exceptions.ReadTimeoutError(self._pool, "", "too long")  # type: ignore[arg-type]  # the pool is shown nowhere
        finally:
            answer.release_conn()
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, bytes(body))

    def _key(self, access: Access, request: Request) -> str:
        if not access.variable:
            return ""
        key = self.keys.get(access.variable, "").strip()
        if not key:
            raise KeyMissing(f"{access.variable} isn't set", request.source, f"export {access.variable}=…")
        # The public data portal shows each key twice, one of them already encoded.
        return unquote(key) if "%" in key else key

    def _take_turn(self, source: str, pace: float) -> None:
        wait = self._next.get(source, 0.0) - time.monotonic()
        if wait > 0:
            self.sleep(wait)
        self._next[source] = time.monotonic() + pace


class _Wait(Exception):
    """The server asks to wait that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _conditions(kept: Kept | None) -> dict[str, str]:
    marks = {"If-None-Match": kept.etag, "If-Modified-Since": kept.modified} if kept else {}
    return {name: mark for name, mark in marks.items() if mark}


def _backoff(attempt: int) -> float:
    """Exponential with full jitter [s] (Brooker 2015)."""
    return random.uniform(0.0, min(CAP_S, FIRST_S * 2.0**attempt))


def _judge(answer: Answer, request: Request) -> None:
    """Raise what a status means; a body that says more is left to the parser."""
    status = answer.status
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        raise _Wait(_wish(answer.headers))
    if 300 <= status < 400:
        raise Unreadable(f"it points elsewhere (HTTP {status})", request.source, "has its address changed?")
    # The public data portal says what is wrong in the body, whatever the status.
    if status < 300 or b"OpenAPI_ServiceResponse" in answer.body:
        return
    if status in (401, 403):
        variable = "check the key, and that it is approved for this very service"
        raise KeyRefused(f"it refuses the key (HTTP {status})", request.source, variable)
    if status == 408 or status >= 500:
        raise NotAnswering(f"its server fails (HTTP {status})", request.source, "try again later")
    raise Refused(f"it refuses the request (HTTP {status})", request.source, request.name)


def _wish(headers: Mapping[str, str]) -> float:
    """Seconds to wait, by `Retry-After` (seconds or a date) or `x-ratelimit-reset` (seconds)."""
    for name in ("retry-after", "x-ratelimit-reset"):
        word = headers.get(name, "").strip()
        if word.isdecimal() and len(word) < 9:
            return float(word)
        with suppress(ValueError, TypeError, OverflowError):
            return max(0.0, parsedate_to_datetime(word).timestamp() - time.time())
    return 0.0
