"""Wire version 1: topics and batches to `Readings`, and whatever doesn't decode to letters with a reason."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np

from edge.identity import content_hash
from edge.quantity import QUANTITIES
from edge.readings import SECOND, UNTIMED, Array, Clock, Column, Readings

MAX_BYTES = 8192
MAX_SAMPLES = 60
EARLIEST = 978_307_200
"""2001-01-01: an older `t0` is a board that has no clock and counts from 1970 or 2000."""
LATEST = 4_102_444_800
AHEAD = 3600
"""Seconds that a sample's time may lie ahead of the gateway's clock."""

ID = r"[a-z0-9-]{1,32}"
RESERVED = frozenset({"gateway", "time"})

Cells = Annotated[list[float | None], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**48)]

_HEAD = (
    ("log", Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$", max_length=8)]),
    ("seq", Annotated[int, msgspec.Meta(ge=1, le=2**48)]),
    ("boot", Whole),
    ("up", Whole),
    ("t0", Annotated[int, msgspec.Meta(ge=-(2**48), le=2**48)] | None),
    ("dt", Annotated[int, msgspec.Meta(ge=1, le=86_400)]),
)
_BODY = tuple((name, Cells | None, None) for name in QUANTITIES)
Batch = msgspec.defstruct("Batch", [*_HEAD, *_BODY], frozen=True, gc=False, forbid_unknown_fields=True)
_Lenient = msgspec.defstruct("Batch", [*_HEAD, *_BODY], frozen=True, gc=False)

_STRICT = msgspec.json.Decoder(Batch)
_LENIENT = msgspec.json.Decoder(_Lenient)
_FIELDS = Batch.__struct_fields__
_KNOWN = frozenset((*(name for name, _ in _HEAD), *QUANTITIES))


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says: the site it is addressed to, the device, and the kind of message."""

    site: str
    device: str
    kind: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that can't be used, and why."""

    topic: str
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A block of messages taken apart: samples, letters, unknown fields, and the batches whose time is
    impossible (their samples stand in the readings, untimed)."""

    readings: Readings
    letters: tuple[Letter, ...]
    unknown: Mapping[str, int]
    impossible: tuple[Letter, ...]


class Malformed(ValueError):
    """A payload that isn't what the wire says; its text is the reason."""


def address(root: str, topic: str) -> Address | None:
    """The parts of a device's topic below `root`, or None where it isn't one."""
    match = re.fullmatch(rf"{re.escape(root)}/({ID})/({ID})/([a-z]+)", topic)
    if match is None or match[1] in RESERVED or match[2] in RESERVED:
        return None
    return Address(match[1], match[2], match[3])


def schema() -> dict[str, Any]:
    """The JSON Schema of a batch."""
    return msgspec.json.schema(_Lenient)


def decode(
    nodes: Sequence[str], topics: Sequence[str], payloads: Sequence[bytes], now: int | None
) -> Decoded:
    """A block of `obs` messages as readings, one node name, topic and payload each.

    `now` [ns UTC]: a batch with a sample more than an hour ahead has an impossible time; None: not known yet.
    Whatever bytes come, they end in the readings or in a letter.
    """
    unknown: Counter[str] = Counter()
    batches, places, letters = _parsed(topics, payloads, unknown)
    latest = LATEST if now is None else min(LATEST, now // SECOND + AHEAD)
    readings, wrong = _columns([nodes[place] for place in places], batches, latest)
    refused = dict(wrong)
    letters += (Letter(topics[places[i]], payloads[places[i]], reason) for i, reason in refused.items())
    impossible = tuple(
        Letter(topics[places[i]], payloads[places[i]], f"t0 {batch.t0} is impossible: samples kept untimed")
        for i, batch in enumerate(batches)
        if batch.t0 is not None and i not in refused and not _possible(batch, latest)
    )
    return Decoded(readings, tuple(letters), unknown, impossible)


def _parsed(
    topics: Sequence[str], payloads: Sequence[bytes], unknown: Counter[str]
) -> tuple[list[Any], Sequence[int], list[Letter]]:
    """The batches, their places in the block, and letters for the others; at once where all are well."""
    try:
        if all(len(payload) <= MAX_BYTES for payload in payloads):
            return list(map(_STRICT.decode, payloads)), range(len(payloads)), []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # one of them is not: the loop below finds out which, and what is wrong
    batches, places, letters = [], [], []
    for place, payload in enumerate(payloads):
        try:
            batches.append(_parse(payload, unknown))
            places.append(place)
        except Malformed as error:
            letters.append(Letter(topics[place], payload, str(error)))
    return batches, places, letters


def _possible(batch: Any, latest: int) -> bool:
    if EARLIEST <= batch.t0 <= latest - MAX_SAMPLES * batch.dt:
        return True
    samples = max(len(getattr(batch, name) or ()) for name in QUANTITIES)
    return bool(EARLIEST <= batch.t0 <= latest - (samples - 1) * batch.dt)


def _parse(payload: bytes, unknown: Counter[str]) -> Any:
    if len(payload) > MAX_BYTES:
        raise Malformed(f"{len(payload)} bytes, at most {MAX_BYTES} are allowed")
    try:
        return _STRICT.decode(payload)
    except msgspec.ValidationError as error:
        if "unknown field" not in str(error):
            raise Malformed(str(error)) from None
        return _tolerant(payload, unknown)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None


def _tolerant(payload: bytes, unknown: Counter[str]) -> Any:
    try:
        batch = _LENIENT.decode(payload)
        unknown.update(msgspec.json.decode(payload).keys() - _KNOWN)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    return batch


def _columns(nodes: list[str], batches: list[Any], latest: int) -> tuple[Readings, list[tuple[int, str]]]:
    if not batches:
        return Readings.empty(), []
    table = dict(zip(_FIELDS, zip(*map(msgspec.structs.astuple, batches), strict=True), strict=True))
    lengths = {name: _lengths(table[name]) for name in QUANTITIES if any(table[name])}
    samples, uneven = _uneven(lengths, len(batches))
    if not uneven:
        return _readings(nodes, table, lengths, samples, latest), []
    bad = {place for place, _ in uneven}
    even = [place for place in range(len(batches)) if place not in bad]
    readings, _ = _columns([nodes[place] for place in even], [batches[place] for place in even], latest)
    return readings, uneven


def _lengths(column: Sequence[list[float | None] | None]) -> Array:
    return np.fromiter((len(cells) if cells else 0 for cells in column), np.int64, len(column))


def _uneven(lengths: Mapping[str, Array], batches: int) -> tuple[Array, list[tuple[int, str]]]:
    samples = np.max([np.zeros(batches, np.int64), *lengths.values()], axis=0)
    wrong = [
        (int(place), f"column {name} has {size[place]} values, another one {samples[place]}")
        for name, size in lengths.items()
        for place in np.flatnonzero((size != 0) & (size != samples))
    ]
    wrong += [(int(place), "no column of a known quantity") for place in np.flatnonzero(samples == 0)]
    return samples, list({place: (place, reason) for place, reason in reversed(wrong)}.values())


def _readings(
    nodes: list[str],
    table: Mapping[str, Sequence[Any]],
    lengths: Mapping[str, Array],
    samples: Array,
    latest: int,
) -> Readings:
    names = {name: code for code, name in enumerate(dict.fromkeys(nodes))}
    head = {name: np.array(table[name], np.int64) for name in ("seq", "boot", "up", "dt")}
    log = np.array([int(text, 16) for text in table["log"]], np.uint32)
    t0 = np.array([UNTIMED if second is None else second for second in table["t0"]], np.int64)
    starts = np.cumsum(samples) - samples
    batch = np.repeat(np.arange(samples.size), samples)
    row = np.arange(batch.size) - starts[batch]
    raw = {name: _spread(table[name], size, samples) for name, size in lengths.items()}
    hashes = content_hash({name: head[name] for name in ("boot", "up", "dt")}, row, starts, raw)
    timed = (t0 >= EARLIEST) & (t0 <= latest - (samples - 1) * head["dt"])
    time = np.where(timed, t0, 0)[batch] + row * head["dt"][batch]
    timed = timed[batch]
    return Readings(
        nodes=tuple(names),
        cals=("",),
        node=np.array([names[node] for node in nodes], np.int32)[batch],
        log=log[batch],
        seq=head["seq"][batch],
        row=row.astype(np.int16),
        time=np.where(timed, time * SECOND, UNTIMED),
        boot=head["boot"][batch],
        up=head["up"][batch],
        dt=head["dt"][batch],
        hash=hashes[batch],
        clock=np.where(timed, Clock.OWN, Clock.NONE).astype(np.uint8),
        cal=np.zeros(batch.size, np.int32),
        columns={name: Column.of_raw(cells, measured) for name, (cells, measured) in raw.items()},
    )


def _spread(column: Sequence[list[float | None] | None], size: Array, samples: Array) -> tuple[Array, Array]:
    values = np.array(list(chain.from_iterable(filter(None, column))), np.float64)
    measured = np.repeat(size > 0, samples)
    if values.size == measured.size:
        return values, measured
    spread = np.full(measured.size, np.nan)
    spread[measured] = values
    return spread, measured
