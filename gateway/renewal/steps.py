"""The renewals there are, each as the steps that every device takes, and what a device must say for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a device's `info` says of its way to the broker, and the site under which it was heard.

    `turn`: the last change in force; `turning`: the one on trial; `turned`: the last one given back, and why;
    `trusts`: the authorities that it believes, `ca`: the one that proved this connection (8 hex digits of
    their SHA-256); `broker`: HOST:PORT of this connection.
    """

    site: str
    turn: int = 0
    turning: int | None = None
    turned: tuple[int, str] | None = None
    trusts: frozenset[str] = frozenset()
    ca: str | None = None
    broker: str | None = None

    @classmethod
    def of(cls, site: str, info: Facts) -> "Said":
        """Read an `info`; what isn't there, or is nonsense, counts as not said."""
        trusts = info.get("trusts")
        return cls(
            site,
            _whole(info.get("turn")) or 0,
            _whole(info.get("turning")),
            _turned(info.get("turned")),
            frozenset(one for one in trusts if isinstance(one, str))
            if isinstance(trusts, list)
            else frozenset(),
            _text(info.get("ca")),
            _text(info.get("broker")),
        )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _turned(value: object) -> tuple[int, str] | None:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], int):
        return value[0], str(value[1])
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a device: what its configuration is to say, and how one knows that the step is done.

    Without `change` it is asked to start again, which makes a new connection. Without `holds` it is done when
    the change is in force. `clears`: what the broker has retained at the old site is removed then.
    """

    name: str
    change: Facts | None = None
    holds: Callable[[Said], bool] | None = None
    clears: bool = False


def _ca(facts: Facts, device: str) -> tuple[Step, ...]:
    """Both authorities, a connection that the next one has proved, the next one alone. In `facts`:
    certificates (base64 of the DER) and their first 8 hex digits."""
    now, later = facts["current"], facts["next"]
    both = frozenset({now["id"], later["id"]})
    return (
        Step("trusts both", {"ca": [now["der"], later["der"]]}, lambda said: both <= said.trusts),
        Step("proved", None, lambda said: said.ca == later["id"]),
        Step("retired", {"ca": [later["der"]]}, lambda said: said.trusts == {later["id"]}),
    )


def _broker(facts: Facts, device: str) -> tuple[Step, ...]:
    """New addresses before the old ones, a connection at a new one, the new ones alone."""
    there = frozenset(f"{host}:{port}" for host, port in facts["to"])
    old = [one for one in facts["from"] if one not in facts["to"]]
    return (
        Step("knows both", {"brokers": [*facts["to"], *old]}),
        Step("proved", None, lambda said: said.broker in there),
        Step("retired", {"brokers": facts["to"]}),
    )


def _site(facts: Facts, device: str) -> tuple[Step, ...]:
    """The new site, proved by being heard there; then the old address is cleared."""
    to = facts["to"][device]
    return (Step("moved", {"site": to}, lambda said: said.site == to, clears=True),)


def _wifi(facts: Facts, device: str) -> tuple[Step, ...]:
    return (Step("joined", {"wifi": facts["networks"], "trial_s": facts["trial_s"]}),)


RENEWALS: Mapping[str, Callable[[Facts, str], tuple[Step, ...]]] = {
    "ca": _ca,
    "broker": _broker,
    "site": _site,
    "wifi": _wifi,
}
"""By kind: the steps of a device, from the renewal's facts and the device's id."""
