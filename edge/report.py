"""What devices say beside their samples: `info`, `status`, `reply` and `state` (wire version 1); and what a
home automation asks (`ask`)."""

from typing import Annotated, Any, Literal

import msgspec

from edge.wire import Letter

Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**48)]
MAX_BYTES = 8192


class Info(msgspec.Struct, frozen=True):
    """What a device says about itself; `first` to `next` - 1 are the sequences its spool holds, `cursor` is
    the next one it will send; `hours` of a sensor are its laser's or fan's."""

    app: str = ""
    mpy: str = ""
    kind: str = ""
    chip: str = ""
    sensors: list[dict[str, Any]] = []
    config: str = ""
    log: Hex | None = None
    first: Natural | None = None
    next: Natural | None = None
    cursor: Natural | None = None
    boot: Natural | None = None
    cause: str = ""
    heap: Natural | None = None
    rssi: float | None = None
    supply: float | None = None
    up: Natural | None = None
    dropped: Natural = 0


class Reply(msgspec.Struct, frozen=True):
    """A device's answer to a `cmd`; `gone`: intervals that its spool no longer holds."""

    op: str
    id: str = ""
    log: Hex | None = None
    sent: Natural = 0
    gone: list[tuple[Natural, Natural]] = []
    error: str = ""


class State(msgspec.Struct, frozen=True):
    """An actuator's level, why, the last command that it obeyed, and the power that it draws [W]."""

    level: Annotated[int, msgspec.Meta(ge=0, le=255)]
    cause: str = ""
    id: str | None = None
    filter_h: float | None = None
    at: int | None = None
    power: float | None = None


class Ask(msgspec.Struct, frozen=True):
    """What a home automation asks of an actuator: a level, on or off, or the `mode` `auto` (the gateway
    decides) or `hand` (as it is); `at` [s UTC] it was asked, `minutes` how long it holds."""

    at: Natural
    level: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    on: bool | None = None
    mode: Literal["", "auto", "hand"] = ""
    minutes: Annotated[float, msgspec.Meta(gt=0, le=1440)] = 60.0
    who: Annotated[str, msgspec.Meta(max_length=60)] = "Home Assistant"
    why: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Status(msgspec.Struct, frozen=True):
    """Whether the device is connected, by its own word or its last will."""

    online: bool


Report = Info | Reply | State | Status | Ask

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "info": msgspec.json.Decoder(Info),
    "reply": msgspec.json.Decoder(Reply),
    "state": msgspec.json.Decoder(State),
    "ask": msgspec.json.Decoder(Ask),
}
_STATUS = {b"online": Status(True), b"offline": Status(False)}


def decode(kind: str, topic: str, payload: bytes) -> Report | Letter:
    """A device's report, or a letter with the reason why it isn't one."""
    if len(payload) > MAX_BYTES:
        return Letter(topic, payload, f"{len(payload)} bytes, at most {MAX_BYTES} are allowed")
    if kind == "status":
        return _STATUS.get(payload) or Letter(topic, payload, "status is neither `online` nor `offline`")
    try:
        report: Report = _DECODERS[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Letter(topic, payload, str(error))
    return report
