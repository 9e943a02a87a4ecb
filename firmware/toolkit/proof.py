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
from firmware.toolkit.application import pins

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
class Gateway:
    """The gateway's JSON API; the token from the environment."""

    url: str
    token: str = field(default="", repr=False)

    def node(self, id: str) -> dict[str, Any] | None:
        """What it knows of a node, None while it isn't in the network files. Raises `Unproved`."""
        return self._ask(f"/api/v1/nodes/{id}")

    def aside(self, site: str, id: str) -> int:
        """How many messages of an unknown node it keeps aside; every site tells of them all."""
        answer = self._ask(f"/api/v1/sites/{site}")
        if answer is None:
            sites = (self._ask("/api/v1/sites") or {}).get("sites", [])
            answer = (self._ask(f"/api/v1/sites/{sites[0]['id']}") if sites else None) or {}
        return sum(new["messages"] for new in answer.get("new_nodes", []) if new["id"] == id)

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

    def __str__(self) -> str:
        if self.aside:
            return "heard; kept aside until its node stands in the network files"
        return ", ".join(f"{name} {value}" for name, value in self.values.items())


def moment(gateway: Gateway, node: str) -> str:
    """The time of the newest sample that the gateway has of a node, empty where it has none."""
    answer = gateway.node(node)
    return str((answer or {}).get("node", {}).get("time") or "")


def await_samples(
    gateway: Gateway,
    site: str,
    node: str,
    sensors: Sequence[Mapping[str, str]],
    before: tuple[str, int],
    ear: Ear,
    progress: Callable[[float], None],
    wait_s: float = WAIT_S,
    poll_s: float = POLL_S,
) -> Proof:
    """Wait for a new sample of every sensor. `before`: what the gateway had. Raises `Unproved`."""
    begun = time.monotonic()
    said, answer, heard = "", None, 0
    while time.monotonic() - begun < wait_s:
        answer = gateway.node(node)
        values = fresh(answer, before[0])
        if values and not lacking(values, sensors):
            return Proof(values={name: values[name] for name in wanted(sensors)})
        heard = gateway.aside(site, node) if answer is None else 0
        if heard > before[1]:
            return Proof({}, aside=True)
        said = (said + ear())[-4000:]
        if crash := crashed(said):
            raise Unproved(f"the application stopped: {crash}", node, "report it with `gongi flash --json`")
        progress((time.monotonic() - begun) / wait_s)
        time.sleep(poll_s)
    raise _why_not(answer, before[0], sensors, node, wait_s)


def wanted(sensors: Sequence[Mapping[str, str]]) -> list[str]:
    """The quantities that prove these sensors."""
    return list(dict.fromkeys(PROVES[sensor["type"]] for sensor in sensors if sensor["type"] in PROVES))


def fresh(answer: Mapping[str, Any] | None, before: str) -> dict[str, str]:
    """The plausible values of a sample newer than `before`, as words."""
    now = (answer or {}).get("node") or {}
    if not now.get("time") or now["time"] == before:
        return {}
    cells = now.get("values") or {}
    return {
        name: f"{cell['raw']:g} {cell['unit']}".strip()
        for name, cell in cells.items()
        if plausible(name, cell)
    }


def plausible(name: str, cell: Mapping[str, Any]) -> bool:
    """Whether a raw value is there and within what the quantity can be."""
    quantity, raw = QUANTITIES.get(name), cell.get("raw")
    if quantity is None or raw is None or cell.get("flag") == MISSING:
        return False
    return bool(quantity.low <= raw <= quantity.high)


def lacking(values: Mapping[str, str], sensors: Sequence[Mapping[str, str]]) -> list[str]:
    """The quantities that prove the sensors and aren't there."""
    return [name for name in wanted(sensors) if name not in values]


def crashed(said: str) -> str:
    """The last line of a traceback on the serial line, empty without one."""
    found = re.search(r"Traceback \(most recent call last\):\r?\n(?:[ \t].*\r?\n)+(\S.*)", said)
    return found[1].strip() if found else ""


def _why_not(
    answer: Mapping[str, Any] | None,
    before: str,
    sensors: Sequence[Mapping[str, str]],
    node: str,
    wait_s: float,
) -> Unproved:
    values = fresh(answer, before)
    if answer is None or not values:
        online = ((answer or {}).get("node") or {}).get("online")
        what = f"the gateway has heard nothing of it for {wait_s:.0f} s"
        advice = (
            "it is connected and sends no samples: look at its `info` on the console"
            if online
            else "gateway and node must use the same broker and root: compare wifi.toml with `gongi serve`"
        )
        return Unproved(what, node, advice)
    table = pins()
    lost = [s for s in sensors if PROVES.get(s["type"]) in lacking(values, sensors)]
    wires = "; ".join(f"{s['type']} on {s['bus']} ({_wires(table[s['bus']])})" for s in lost)
    return Unproved(
        f"no plausible value of {wires}", node, "check its plug and supply; put another sensor in its place"
    )


def _wires(bus: Mapping[str, int]) -> str:
    return ", ".join(f"{signal.upper()} GPIO{number}" for signal, number in bus.items())
