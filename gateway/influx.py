"""A bucket of InfluxDB 2: where it is, what it is sent, and what its answers mean."""

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.delete_predicate_request import DeletePredicateRequest
from influxdb_client.rest import ApiException
from influxdb_client.service.delete_service import DeleteService
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError  # what influxdb-client lets through where nobody answers

from edge.problem import Problem
from edge.readings import SECOND

CONNECT_MS = 5_000
ANSWER_MS = 30_000
REASON = 500
# Level 1: 1.6 µs a line of 290 bytes; the library's own, level 9, takes 19 for a third less.
SQUEEZE = 1

VARIABLES = {
    "url": "GONGI_INFLUX_URL",
    "token": "GONGI_INFLUX_TOKEN",
    "org": "GONGI_INFLUX_ORG",
    "bucket": "GONGI_INFLUX_BUCKET",
}


class SettingsError(Problem):
    """The environment names an InfluxDB, but not completely."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which InfluxDB to write to; the token is shown nowhere."""

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings | None":
        """The settings in `GONGI_INFLUX_*`; None where none is set; raises `SettingsError`."""
        found = {key: environment.get(name, "").strip() for key, name in VARIABLES.items()}
        if not any(found.values()):
            return None
        if missing := [VARIABLES[key] for key, word in found.items() if not word]:
            advice = f"set {' and '.join(missing)}, or unset all GONGI_INFLUX_* to go without InfluxDB"
            raise SettingsError("InfluxDB is configured in part", ", ".join(missing), advice)
        if not re.match(r"https?://[^/\s]+", found["url"]):
            raise SettingsError(
                f"not an address: {found['url']}", VARIABLES["url"], "such as http://127.0.0.1:8086"
            )
        return cls(**found)

    def open(self) -> "Bucket":
        """The bucket, without a word to it yet."""
        return Bucket(self)


# -- what InfluxDB answers ----------------------------------------------------------------------------


class Refused(Exception):
    """InfluxDB will never take this, for the reason in the text; `dropped`: how many lines it says it left
    out while taking the rest."""

    def __init__(self, reason: str, dropped: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.dropped = dropped


class Kept(Exception):
    """Not now: the text is a clear word; `after` [s] as the server wishes, 0 where it says nothing."""

    def __init__(self, word: str, after: float = 0.0) -> None:
        super().__init__(word)
        self.word = word
        self.after = after


_CONFIGURATION = {
    401: "InfluxDB doesn't know this token: check GONGI_INFLUX_TOKEN",
    403: "this token may not write here: check GONGI_INFLUX_TOKEN and GONGI_INFLUX_BUCKET",
    404: "no such organisation or bucket: check GONGI_INFLUX_URL, GONGI_INFLUX_ORG and GONGI_INFLUX_BUCKET",
}
_REFUSALS = (400, 422)
_TOO_LARGE = 413
_LONGEST_WISH = 600.0


def meaning(
    status: int, body: str, headers: Mapping[str, str], advice: Mapping[int, str] = _CONFIGURATION
) -> Refused | Kept:
    """What an answer other than 2xx means; a 400 that isn't in InfluxDB's own words comes from a proxy."""
    said = _message(body)
    if status == _TOO_LARGE:
        return Refused(said or "too large")
    if status in _REFUSALS and said:
        dropped = re.search(r"dropped=(\d+)", said)
        return Refused(said[:REASON], int(dropped[1]) if dropped else 0)
    word = advice.get(status, f"InfluxDB answers {status}")
    return Kept(f"{word} ({said})" if said else word, _wish(headers.get("Retry-After", "")))


def _message(body: str) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("message") or answer.get("error") or "") if isinstance(answer, dict) else ""


def _wish(header: str) -> float:
    return min(float(header), _LONGEST_WISH) if header.isdecimal() else 0.0


class Target(Protocol):
    """Where lines go; its calls raise `Refused` or `Kept`, nothing else."""

    def write(self, lines: Sequence[str]) -> None: ...

    def erase(self, measurement: str, tags: Mapping[str, str], first: int, last: int) -> None: ...

    def close(self) -> None: ...


class Where(Protocol):
    """Settings that lead to a server."""

    def open(self) -> Target: ...


class Bucket:
    """One bucket of an InfluxDB 2; its calls raise `Refused` or `Kept`, nothing else."""

    def __init__(self, settings: Settings) -> None:
        timeout: Any = (CONNECT_MS, ANSWER_MS)
        self._where = {"org": settings.org, "bucket": settings.bucket}
        self._client = InfluxDBClient(settings.url, settings.token, timeout=timeout, retries=False)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def write(self, lines: Sequence[str]) -> None:
        """Write lines of nanosecond precision in one request."""
        body = gzip.compress("\n".join(lines).encode(), SQUEEZE)
        service = WriteService(self._client.api_client)
        self._call(service.post_write, body=body, content_encoding="gzip", precision="ns")

    def erase(self, measurement: str, tags: Mapping[str, str], first: int, last: int) -> None:
        """Delete the points with these tags from `first` to `last` [ns], both included."""
        words = {"_measurement": measurement, **tags}
        predicate = " AND ".join(f'{key}="{word}"' for key, word in words.items() if word)
        request = DeletePredicateRequest(start=_moment(first), stop=_moment(last), predicate=predicate)
        service = DeleteService(self._client.api_client)
        self._call(service.post_delete, delete_predicate_request=request)

    def _call(self, request: Callable[..., object], **content: object) -> None:
        try:
            request(**self._where, **content)
        except ApiException as error:
            raise meaning(error.status or 0, error.body or "", error.headers or {}) from error
        except (HTTPError, OSError, UnicodeDecodeError) as error:
            raise Kept(f"InfluxDB doesn't answer ({type(error).__name__})") from error


def _moment(time: int) -> str:
    whole = datetime.fromtimestamp(time // SECOND, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time % SECOND:09}Z"
