"""A running gateway's API, asked from another process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from edge.problem import Problem

TIMEOUT = 20.0
"""Seconds for an answer."""


class Unanswered(Problem):
    """The gateway can't be reached, or refuses."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The gateway whose page is at `url`; `token` is its GONGI_TOKEN, where it has one."""

    url: str
    token: str = ""

    def get(self, path: str, **asked: str | int) -> Any:
        """An answer of the API. Raises `Unanswered`."""
        return self._ask("GET", f"{path}?{urlencode(asked)}" if asked else path)

    def post(self, path: str, said: Mapping[str, object]) -> Any:
        """Tell the API something. Raises `Unanswered`."""
        return self._ask("POST", path, json.dumps(said).encode())

    def delete(self, path: str, **asked: str) -> Any:
        """Take something back. Raises `Unanswered`."""
        return self._ask("DELETE", f"{path}?{urlencode(asked)}" if asked else path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Accept-Language": "en", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            request = Request(f"{self.url.rstrip('/')}/api/v1/{path}", body, headers, method=method)
            with urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise Unanswered(_detail(error), self.url, _ADVICE.get(error.code, "")) from None
        except (URLError, OSError, ValueError) as error:
            raise Unanswered(f"no gateway answers: {error}", self.url, "name its page: --url URL") from None


_ADVICE = {
    401: "set GONGI_TOKEN to the gateway's",
    403: "run this on the gateway's machine, or set GONGI_TOKEN",
}


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)


def segment(id: str) -> str:
    """An id as a piece of a path."""
    return quote(id, safe="")
