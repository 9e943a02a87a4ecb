"""The last step: the gateway itself must have one plausible sample of every sensor."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.problem import Problem
from edge.quantity import QUANTITIES
from firmware.toolkit.boards import Board, Bus

POLL_S = 2.0
ASK_S = 10.0
WAIT_S = 240.0
"""A sensor's warm-up, a batch of a minute and a slow network [s]."""

MISSING = 9
"""The flag of a value that isn't there."""

# The quantity by which each sensor is proved.
PROVES = {
    **dict.fromkeys(("pms5003", "pms7003", "sds011", "sps30"), "pm25"),
    **dict.fromkeys(("scd4x", "scd40", "scd41"), "co2"),
    **dict.fromkeys(("sht4x", "sht40", "sht41", "sht45"), "temp"),
}


class Unproved(Problem):
    """The gateway didn't see what the node should have sent."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A quantity as its sensor said it; `value` is None where it said nothing."""

    value: float | None
    unit: str
    plausible: bool

    def __str__(self) -> str:
        return "nothing" if self.value is None else f"{self.value:g} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the gateway has of a node: a word for the newest sample's time, empty for none, and its values;
    `aside`: in quarantine, as no network file names it."""

    time: str = ""
    values: Mapping[str, Raw] = field(default_factory=dict)
    aside: bool = False
    online: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's JSON API; the token from the environment."""

    url: str
    token: str = field(default="", repr=False)

    def seen(self, id: str) -> Seen:
        """What it has of a node now. Raises `Unproved`."""
        answer = self._ask(f"/api/v1/nodes/{id}") or {}
        if node := answer.get("node"):
            values = {name: _raw(name, cell) for name, cell in (node.get("values") or {}).items()}
            return Seen(str(node.get("time") or ""), values, online=bool(node.get("online")))
        if aside := answer.get("aside"):
            values = {
                name: Raw(one["raw"], one["unit"], one["plausible"]) for name, one in aside["values"].items()
            }
            return Seen(str(aside["heard"] or ""), values, aside=True)
        return Seen()

    def _ask(self, path: str) -> dict[str, Any] | None:
        head = {"Accept": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        request = urllib.request.Request(self.url.rstrip("/") + path, headers=head)
        try:
            with urllib.request.urlopen(request, timeout=ASK_S) as reply:
                answer = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                advice = (
                    "set GONGI_TOKEN to the gateway's token" if error.code in (401, 403) else "see its log"
                )
                raise Unproved(f"the gateway answers {error.code}", self.url, advice) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise Unproved(
                f"the gateway doesn't answer ({why})", self.url, "is `gongi serve` running? Correct GONGI_URL"
            ) from error
        return dict(answer)


class Ear(Protocol):
    """Hears what the board says on its serial line while we wait."""

    def __call__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gateway had: values by quantity with unit; `aside`: in quarantine, not adopted yet."""

    values: Mapping[str, str]
    aside: bool = False


def await_samples(
    gateway: Gateway,
    node: str,
    sensors: Sequence[Mapping[str, str]],
    board: Board,
    before: str,
    ear: Ear,
    progress: Callable[[float], None],
    wait_s: float = WAIT_S,
    poll_s: float = POLL_S,
) -> Proof:
    """Wait for a sample of every sensor newer than `before`, the gateway's last. Raises `Unproved`."""
    begun = time.monotonic()
    said, seen = "", Seen()
    while time.monotonic() - begun < wait_s:
        seen = gateway.seen(node)
        if seen.time != before and not lacking(seen, sensors):
            return Proof({name: str(seen.values[name]) for name in _proving(seen, sensors)}, seen.aside)
        said = (said + ear())[-4000:]
        if crash := crashed(said):
            raise Unproved(f"the application stopped: {crash}", node, "report it with `gongi flash --json`")
        progress((time.monotonic() - begun) / wait_s)
        time.sleep(poll_s)
    if seen.time in ("", before):
        raise _unheard(seen, node, wait_s)
    faults = [_fault(seen, sensor, board.buses[sensor["bus"]]) for sensor in lacking(seen, sensors)]
    raise Unproved("; ".join(what for what, _ in faults), node, "; ".join(advice for _, advice in faults))


def _proving(seen: Seen, sensors: Sequence[Mapping[str, str]]) -> list[str]:
    """The quantities that prove these sensors; where one is of one's own, all that are plausible."""
    if any(sensor["type"] not in PROVES for sensor in sensors):
        return [name for name, raw in seen.values.items() if raw.plausible]
    return list(dict.fromkeys(PROVES[sensor["type"]] for sensor in sensors))


def lacking(seen: Seen, sensors: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The sensors of which the newest sample has no plausible value; one of one's own is proved by any."""
    some = any(raw.plausible for raw in seen.values.values())
    proved = {name for name, raw in seen.values.items() if raw.plausible}
    return [s for s in sensors if (PROVES[s["type"]] not in proved if s["type"] in PROVES else not some)]


def _raw(name: str, cell: Mapping[str, Any]) -> Raw:
    """A value of a node that the network files name."""
    quantity, raw = QUANTITIES.get(name), cell.get("raw")
    there = quantity is not None and raw is not None and cell.get("flag") != MISSING
    right = bool(there and quantity and quantity.low <= raw <= quantity.high)
    return Raw(raw if there else None, str(cell.get("unit", "")), right)


def crashed(said: str) -> str:
    """The last line of a traceback on the serial line, empty without one."""
    found = re.search(r"Traceback \(most recent call last\):\r?\n(?:[ \t].*\r?\n)+(\S.*)", said)
    return found[1].strip() if found else ""


def _unheard(seen: Seen, node: str, wait_s: float) -> Unproved:
    advice = (
        "it is connected and sends no samples: look at its `info` on the console"
        if seen.online
        else "gateway and node must use the same broker and root: compare wifi.toml with `gongi serve`"
    )
    return Unproved(f"the gateway has heard nothing of it for {wait_s:.0f} s", node, advice)


# Why a sensor isn't proved: it isn't measured, is silent, or says what can't be.
WORDS = {
    "absent": (
        "the node sends no {quantity} of its {type} on {bus} ({wires})",
        "its driver wasn't loaded: its `info` says why; flash it again",
    ),
    "silent": (
        "no plausible value of {type} on {bus} ({wires}): it is silent",
        "{check}",
    ),
    "wrong": (
        "no plausible value of {type} on {bus} ({wires}): it says {raw}",
        "{check}; where the wires are right, put another sensor in its place",
    ),
}
CHECKS = {
    "uart": "does its fan turn? Else 5 V is missing; its TX belongs on GPIO{rx}, its RX on GPIO{tx}",
    "i2c": "check its supply and ground; SDA belongs on GPIO{sda}, SCL on GPIO{scl}",
}


def _fault(seen: Seen, sensor: Mapping[str, str], bus: Bus) -> tuple[str, str]:
    """What is wrong with a sensor, and what to do."""
    quantity = PROVES.get(sensor["type"], "value")
    raw = seen.values.get(quantity)
    state = "absent" if raw is None else "silent" if raw.value is None else "wrong"
    check = CHECKS[sensor["bus"].rstrip("0123456789")].format(**bus.pins)
    facts = {**sensor, "quantity": quantity, "wires": str(bus), "raw": str(raw), "check": check}
    what, advice = WORDS[state]
    return what.format(**facts), advice.format(**facts)
