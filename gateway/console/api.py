"""The JSON API under /api/v1: what the pages show, for programs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic.main import IncEx

from edge.network import Network
from edge.quantity import QUANTITIES
from edge.readings import SECOND
from gateway.console.answers import (
    Health,
    HealthWord,
    LedgerAnswer,
    NodeAnswer,
    Problem,
    Pulse,
    Series,
    SiteNow,
    Sites,
)
from gateway.console.board import Missing, notice
from gateway.console.desk import AtDesk, Desk, Spoken
from gateway.console.past import Window, series
from gateway.console.scene import utc
from gateway.words import Words

DAY = 86400

FAULTS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such thing."},
    422: {"model": Problem, "description": "The question can't be understood."},
}

api = APIRouter(prefix="/api/v1", responses=FAULTS)
root = APIRouter()

SiteId = Annotated[str, Path(description="A site's id, as in the network files.", max_length=32)]
NodeId = Annotated[str, Path(description="A node's id, as in the network files.", max_length=32)]


@api.get("/sites", summary="All schools, worst first")
def sites(at: AtDesk, said: Spoken) -> Sites:
    """Every school in one line: its worst room, how many devices are silent, how many alarms stand."""
    return at.board.sites(said)


@api.get("/sites/{site}", summary="One school now")
def site(site: SiteId, at: AtDesk, said: Spoken) -> SiteNow:
    """Rooms with values, forecast and actuators; outdoor air, advice, alarms, silent and new nodes."""
    return at.board.site(site, said)


@api.get("/sites/{site}/series", summary="The past of one node and quantity")
def past(
    site: SiteId,
    at: AtDesk,
    said: Spoken,
    node: Annotated[str, Query(description="A node's id.", max_length=32)],
    quantity: Annotated[str, Query(description="A quantity's name, as `pm25`.")] = "pm25",
    start: Annotated[int | None, Query(description="UTC seconds; default: a day before `end`.", ge=0)] = None,
    end: Annotated[int | None, Query(description="UTC seconds; default: now.", ge=0, le=1 << 33)] = None,
    points: Annotated[int, Query(description="Wanted number of steps.", ge=1, le=2000)] = 288,
) -> Series:
    """Means by step of raw and calibrated values, with the worst quality flag of each step."""
    _known(at, site, node, quantity)
    end = end if end is not None else at.board.live.now // SECOND + 1
    start = start if start is not None else max(end - DAY, 0)
    window = Window.of(start, max(end, start + 1), points)
    law = notice(_grades(at.board.network, node, window), said)
    return series(at.history, node, quantity, window, law)


def _grades(network: Network, node: str, window: Window) -> Iterable[str]:
    """The certification grades that a node had within a window."""
    first, end = window.start * SECOND, window.end * SECOND
    changes = (place.since for place in network.nodes[node].placements if first < place.since < end)
    return [network.grade(node, time) for time in (first, *changes)]


def _known(at: Desk, site: str, node: str, quantity: str) -> None:
    network = at.board.network
    if site not in network.sites:
        raise Missing("site", site, tuple(network.sites))
    here = [n.id for n in network.nodes.values() if any(place.site == site for place in n.placements)]
    if node not in here:
        raise Missing("node", node, tuple(here))
    if quantity not in QUANTITIES:
        raise Missing("quantity", quantity, tuple(QUANTITIES))


@api.get("/nodes/{node}", summary="One node now")
def node(node: NodeId, at: AtDesk, said: Spoken) -> NodeAnswer:
    """Its newest values, the sensors that it carries and what it last said of itself."""
    return at.board.node(node, said)


@api.get("/ledger", summary="Proof of completeness")
def ledger(at: AtDesk, said: Spoken) -> LedgerAnswer:
    """Per node and log: which sequence numbers are stored, which are lost and why."""
    network, now = at.board.network, at.board.live.now
    law = notice((network.grade(node, now) for node in network.nodes), said)
    return LedgerAnswer(ledger=dict(at.ledger()), notice=law)


def _watched(
    at: AtDesk, said: Spoken, site: Annotated[str, Query(description="A site's id; without it, all.")] = ""
) -> str:
    if site:
        at.board.site(site, said)
    return site


@api.get("/events", summary="Changes as they happen", response_class=EventSourceResponse)
async def events(
    site: Annotated[str, Depends(_watched)], at: AtDesk, said: Spoken
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `site` with the whole school (as `/sites/{site}`), or `sites` (as `/sites`), when
    something changed, else `pulse` every few seconds: as long as one of them comes, the numbers hold."""
    seen, quiet = "", 0.0
    while not at.closing.is_set():
        now = await asyncio.to_thread(_look, at, site, said)
        mark = _mark(now)
        if now and mark != seen:
            seen, quiet = mark, 0.0
            yield ServerSentEvent(event="site" if site else "sites", data=now, retry=2000)
        elif now and quiet >= PULSE:
            quiet = 0.0
            yield ServerSentEvent(event="pulse", data=Pulse(now=now.now, stalled=now.stalled))
        quiet += at.tick_s
        await _rest(at)


PULSE = 5.0
"""Seconds after which a stream says that nothing changed."""


def _look(at: Desk, site: str, said: Words) -> SiteNow | Sites | None:
    """The site; None after a changed network file dropped it, so that the page sees its stream go quiet."""
    try:
        return at.board.site(site, said) if site else at.board.sites(said)
    except Missing:
        return None


_AGES: Mapping[str, IncEx | bool] = {"age_s": True, "said": True}
_ROOM: Mapping[str, IncEx | bool] = {"said": True, "nodes": {"__all__": _AGES}}

_PASSING: Mapping[str, IncEx | bool] = {
    "now": True,
    "clock": True,
    "rooms": {"__all__": _ROOM},
    "outdoor": _ROOM,
    "silent": {"__all__": _AGES},
    "alarms": {"__all__": {"when": True}},
}
"""What changes when time alone passes."""


def _mark(now: SiteNow | Sites | None) -> str:
    """Differs where something changed."""
    passing = _PASSING if isinstance(now, SiteNow) else {"now", "clock"}
    return now.model_dump_json(exclude=passing) if now else ""


async def _rest(at: Desk) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(at.closing.wait(), at.tick_s)


@root.get("/health", summary="Whether the gateway is alive", responses={503: {"model": Health}})
def health(at: AtDesk, response: Response) -> Health:
    """200 while its clock moves, 503 when it stands still."""
    pulse = at.board.pulse
    now = at.board.live.now
    response.status_code = 503 if pulse.stalled else 200
    status: HealthWord = "stalled" if pulse.stalled else "ok" if now else "starting"
    return Health(status=status, now=utc(now), still_s=round(pulse.still_s, 1))


@root.get("/metrics", summary="Counters for Prometheus", response_class=Response)
def metrics(at: AtDesk) -> Response:
    """Every message, drop, retry and fallback, in Prometheus's text format."""
    return Response(at.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")
