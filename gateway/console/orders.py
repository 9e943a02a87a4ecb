"""What the API takes: a person's level for an actuator, for a time."""

import ipaddress
from hmac import compare_digest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.console.answers import ActuatorAnswer, Actuators, Problem
from gateway.console.api import FAULTS
from gateway.console.desk import AtDesk, Desk, Spoken
from gateway.override import LONGEST, Overrides

HERE = ("localhost", "127.0.0.1", "::1")
"""What this machine is called in a request that comes from it."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is missing or wrong."},
    403: {"model": Problem, "description": "Without a token only the gateway's own machine may do this."},
    503: {"model": Problem, "description": "It couldn't be committed; it isn't in force."},
}

orders = APIRouter(prefix="/api/v1/actuators", responses=FAULTS)

ActuatorId = Annotated[str, Path(description="An actuator's id, as in the network files.", max_length=32)]
Who = Annotated[str, Field(description="Who asks; shown, not proved.", max_length=60)]


class Wanted(BaseModel):
    """A level for a time."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    level: int = Field(description="0 is off.", ge=0, le=255)
    minutes: float = Field(default=30, description="Until the gateway decides again.", gt=0, le=LONGEST)
    why: str = Field(default="", description="Shown on the page.", max_length=200)
    who: Who = ""


def entitled(request: Request, at: AtDesk) -> Overrides:
    """What may be commanded by this request: who knows the token, or without one this machine, and no page of
    another site that runs in its browser."""
    if at.overrides is None:
        raise HTTPException(503, "nothing can be commanded here: this page shows a simulated school")
    if at.token:
        _knows(request, at)
    elif not _from_here(request):
        raise HTTPException(
            403, "set GONGI_TOKEN where the gateway runs, and send it: Authorization: Bearer …"
        )
    return at.overrides


def _knows(request: Request, at: Desk) -> None:
    how, _, word = request.headers.get("authorization", "").partition(" ")
    if how.lower() != "bearer" or not compare_digest(word.strip().encode(), at.token.encode()):
        raise HTTPException(401, "send the gateway's GONGI_TOKEN: Authorization: Bearer …")


def _from_here(request: Request) -> bool:
    """A request over the loopback interface that means this machine by its own name: a foreign page whose
    name has been made to point here names itself."""
    try:
        near = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    origin = request.headers.get("origin", "")
    same = not origin or origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
    return near and same and request.url.hostname in HERE


Entitled = Annotated[Overrides, Depends(entitled)]


@orders.get("", summary="All actuators")
def actuators(at: AtDesk, said: Spoken) -> Actuators:
    """Every purifier, ventilator and cleaner with its levels, what it does, and who has set it by hand."""
    return at.board.actuators(said)


@orders.get("/{actuator}", summary="One actuator")
def actuator(actuator: ActuatorId, at: AtDesk, said: Spoken) -> ActuatorAnswer:
    """Its levels, what it does, whether it confirmed, the power that it draws, and who has set it by hand."""
    return at.board.actuator(actuator, said)


@orders.post("/{actuator}/override", summary="Set it by hand, for a time", responses=REFUSALS)
def override(actuator: ActuatorId, wanted: Wanted, by: Entitled, at: AtDesk, said: Spoken) -> ActuatorAnswer:
    """Have a level until the time is over, whatever the gateway would decide; it replaces an earlier one.
    Answered when it is journalled; `now.acknowledged` tells later whether the device obeyed."""
    at.board.actuator(actuator, said)
    by.ask(actuator, wanted.level, wanted.minutes, wanted.who, wanted.why)
    return at.board.actuator(actuator, said)


@orders.delete("/{actuator}/override", summary="Let the gateway decide again", responses=REFUSALS)
def release(
    actuator: ActuatorId,
    by: Entitled,
    at: AtDesk,
    said: Spoken,
    who: Annotated[str, Query(description="Who ends it.", max_length=60)] = "",
) -> ActuatorAnswer:
    """End what was set by hand before its time; nothing happens where nothing was."""
    at.board.actuator(actuator, said)
    by.release(actuator, who)
    return at.board.actuator(actuator, said)
