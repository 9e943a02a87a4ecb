"""What every route of one console shares, and the language that a request wants."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from gateway.console.board import Board
from gateway.console.past import History
from gateway.override import Overrides
from gateway.words import LANGUAGES, Words, preferred, words


@dataclass(frozen=True, slots=True)
class Desk:
    """The console's sources; `overrides` (None: nothing can be commanded here) take `token`, or without one
    only requests from this machine; `closing` is set when the server stops, so that streams end."""

    board: Board
    history: History
    ledger: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes]
    tick_s: float
    overrides: Overrides | None = None
    token: str = ""
    closing: asyncio.Event = field(default_factory=asyncio.Event)


def desk(request: Request) -> Desk:
    """The desk of the app that answers this request."""
    found: Desk = request.app.state.desk
    return found


def speaking(
    request: Request,
    lang: Annotated[str, Query(description="`ko` or `en`; else Accept-Language, else `ko`.")] = "",
) -> Words:
    """The words of the language that the request wants."""
    return words(lang if lang in LANGUAGES else preferred(request.headers.get("accept-language", "")))


AtDesk = Annotated[Desk, Depends(desk)]
Spoken = Annotated[Words, Depends(speaking)]
