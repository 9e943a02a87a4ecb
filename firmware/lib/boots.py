"""How boots begin and end: failures in a row are counted, and too many of them lead to safe mode.

A file of three facts: `failed` boots in a row, the announced `end` of the last one, its last `utc`.
"""

from lib.kept import Kept
from micropython import const

# So many failed boots in a row, and the next one is in safe mode.
TOO_MANY = 10
_FAILURES = const(("crash", "watchdog", "memory", "stalled", "reset"))


def _kept(flash: str) -> Kept:
    kept = Kept(flash + "/boots.json")
    kept.load()
    return kept


def begin(flash: str, cause: str) -> tuple:
    """Count the boot if the one before has failed; return the cause, the failures in a row, the UTC second
    last kept. `cause` is the board's word; a reset that nobody announced is a failure."""
    kept = _kept(flash)
    facts = kept.facts
    end = facts.pop("end", None)
    cause = (end or "reset") if cause in ("reboot", "crash") else cause
    if cause in _FAILURES:
        facts["failed"] = facts.get("failed", 0) + 1
    if end or cause in _FAILURES:
        kept.store()
    return cause, facts.get("failed", 0), facts.get("utc", 0)


def keep(flash: str, **changes: object) -> None:
    """Keep facts: `failed` so far, the `end` of this boot, the `utc` second of now."""
    kept = _kept(flash)
    if any(kept.facts.get(name) != value for name, value in changes.items()):
        kept.facts.update(changes)
        kept.store()


def good(flash: str) -> None:
    """Mark this boot as good."""
    keep(flash, failed=0)


def spared(flash: str) -> None:
    """Give one try more."""
    keep(flash, failed=TOO_MANY - 1)


def end(flash: str, cause: str) -> None:
    """Announce how this boot ends."""
    keep(flash, end=cause)


def time(flash: str, utc: int | None) -> None:
    """Keep the UTC second, where it is known: the next boot checks certificates by it at least."""
    if utc:
        keep(flash, utc=utc)


def application(config: dict, board: object) -> object:
    """Return what this boot runs: the application that the configuration's kind names, or another."""
    if board.failures >= TOO_MANY:
        module, name = "lib.safe", "Safe"
    elif board.slots.facts["receiving"]:
        module, name = "lib.receiver", "Receiver"
    elif config["kind"] == "actuator":
        module, name = "actuator.app", "Actuator"
    else:
        module, name = "node.app", "Node"
    return getattr(__import__(module, None, None, (name,)), name)(config, board)
