"""Turns: changes of networks, brokers, authorities and site, each on trial until a broker has answered.

They stand in one small file, replaced whole by renaming, and are laid over the flashed configuration at
every boot: `change` is in force since `turn`; `trial` (turn, change, seconds) is tried out in its `boots`;
`last` is the highest ever taken; `turned` the last one given back, and why; `ca` the authority that proved
last.
`flashed` tells the configuration below: when the cable has changed that, all turns end.
"""

import asyncio
import binascii
import json
import os

from lib.device import Reboot
from lib.kept import Kept
from lib.seldom import call
from micropython import const

# A trial that ends in so many boots has crashed; power cuts alone seldom make three.
BOOTS = 3
_TRIAL_S = const(600)
_LOOK_MS = const(200)
_MOST_AUTHORITIES = const(2)
_MOST_BROKERS = const(8)
# An authority that came with a turn lies in a file of its own: this, the turn, which one.
_AUTHORITY = const("%s/turn-%d-%d")
_SITE = const("abcdefghijklmnopqrstuvwxyz0123456789-")


def _kept(flash: str) -> Kept:
    kept = Kept(flash + "/turns.json")
    kept.load()
    facts = {"last": 0, "turn": 0, "change": {}, "trial": None, "boots": 0, "turned": None, "ca": None}
    facts.update(kept.facts)
    kept.facts = facts
    return kept


def begin(flash: str, config: dict) -> dict:
    """Lay the turns over the configuration, and count this boot of one on trial; return what is to be known
    of them: `turn`, `turning`, `turned`, `trial_s`, `ca`."""
    kept = _kept(flash)
    facts = kept.facts
    before = dict(facts)
    flashed = _flashed(config)
    if facts.get("flashed", flashed) != flashed:
        facts.update(turn=0, change={}, trial=None, turned=None)
    facts["flashed"] = flashed
    if facts["trial"]:
        _count(facts)
    if facts["last"] and facts != before:
        try:
            kept.store()
        except OSError:  # what can't be counted isn't tried
            facts["trial"] = None
    config.update(facts["change"])
    turning, change, trial_s = facts["trial"] or (None, {}, 0)
    config.update(change)
    _sweep(flash, str(facts["change"]) + str(change))
    return {
        "turn": facts["turn"],
        "turning": turning,
        "turned": facts["turned"],
        "trial_s": trial_s,
        "ca": facts["ca"],
    }


def _count(facts: dict) -> None:
    if facts["boots"] >= BOOTS:
        _back(facts, "crash")
    else:
        facts["boots"] += 1


def _back(facts: dict, why: str) -> None:
    facts.update(turned=[facts["trial"][0], why], trial=None)


def _flashed(config: dict) -> int:
    """Return a sum that changes with what the cable has written of that which a turn may change."""
    total = 0
    for name in ("brokers", "site", "tls", "wifi"):
        total = binascii.crc32(repr(config.get(name)).encode(), total)
    for path in (config.get("tls") or {}).get("ca", ()):
        with open(path, "rb") as file:
            total = binascii.crc32(file.read(), total)
    return total


def _sweep(flash: str, names: str) -> None:
    """Remove the authorities that no turn names any more."""
    for entry in list(os.ilistdir(flash or "/")):
        if entry[0].startswith("turn-") and entry[0] not in names:
            os.remove(flash + "/" + entry[0])


def take(device: object, command: dict) -> str:
    """Put a change on trial, for the next boot; return "", or the word for why not."""
    board = device.board
    turn: object = command.get("turn")
    text: object = command.get("change")
    try:
        key = call("lib.seal", "key", device.config, board.slots.root)
    except OSError:
        return "key"
    if not _sealed(key, turn, text, command.get("mac")):
        return "mac"
    kept = _kept(board.flash)
    facts = kept.facts
    if turn <= facts["last"]:
        return "older"
    if facts["trial"] or board.slots.facts["trial"] is not None or board.slots.facts["receiving"]:
        return "trial"
    try:
        change = json.loads(text)
        trial_s = int(change.pop("trial_s", _TRIAL_S))
        facts["trial"] = [turn, _checked(board.flash, turn, change), trial_s]
        facts.update(last=turn, boots=0, flashed=facts.get("flashed") or _flashed(device.config))
        kept.store()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, ImportError):
        return "change"
    return ""


def _sealed(key: bytes, turn: object, text: object, mac: object) -> bool:
    try:
        parts = (b"reconfigure\n%d\n" % turn, text.encode())
        return call("lib.seal", "holds", key, parts, mac)
    except (ValueError, TypeError, AttributeError):
        return False


def _checked(flash: str, turn: int, change: dict) -> dict:
    """Return the change as configuration; ValueError, KeyError or TypeError where it can't be obeyed."""
    settings = {}
    for name, value in change.items():
        settings["tls" if name == "ca" else name] = CHECKS[name](flash, turn, value)
    if not settings:
        raise ValueError
    return settings


def _brokers(flash: str, turn: int, brokers: list) -> list:
    for host, port in brokers:
        if not host.strip() or not 0 < port < 65536:
            raise ValueError
    return _some(brokers, _MOST_BROKERS)


def _wifi(flash: str, turn: int, networks: list) -> list:
    from lib.wifi import MOST, Network

    for entry in networks:
        if not 0 < len(Network(entry).name.encode()) <= 32:
            raise ValueError
    return _some(networks, MOST)


def _site(flash: str, turn: int, site: str) -> str:
    if not 0 < len(site) <= 32 or not all(letter in _SITE for letter in site):
        raise ValueError
    return site


def _authorities(flash: str, turn: int, certificates: list) -> dict:
    """Keep the certificates, each in its file, once they have proved to be some."""
    import tls

    ders = [binascii.a2b_base64(text) for text in _some(certificates, _MOST_AUTHORITIES)]
    for der in ders:
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).load_verify_locations(der)
    paths = [_AUTHORITY % (flash, turn, n) for n in range(len(ders))]
    for path, der in zip(paths, ders):
        with open(path, "wb") as file:
            file.write(der)
    return {"ca": paths}


def _some(values: list, limit: int) -> list:
    if not isinstance(values, list) or not 0 < len(values) <= limit:
        raise ValueError
    return values


CHECKS: dict = {"brokers": _brokers, "wifi": _wifi, "site": _site, "ca": _authorities}


async def prove(device: object) -> None:
    """Keep the turn on trial once a broker has answered CONNECT; give it back after its time."""
    turns, client = device.board.turns, device.client
    end = device.clock.up() + turns["trial_s"]
    while not client.connections:
        if device.clock.up() >= end:
            give_back(device.board.flash, call("lib.lamp", "state", device))
            raise Reboot("turn")
        await asyncio.sleep_ms(_LOOK_MS)
    confirm(device.board.flash)
    turns.update(turn=turns["turning"], turning=None)
    device.inform()


def confirm(flash: str) -> None:
    """Let the turn on trial be in force."""
    kept = _kept(flash)
    facts = kept.facts
    turn, change, _ = facts["trial"]
    facts["change"].update(change)
    facts.update(turn=turn, trial=None)
    kept.store()


def give_back(flash: str, why: str) -> None:
    """Give the turn on trial up; the next boot is as the one before it."""
    kept = _kept(flash)
    _back(kept.facts, why)
    kept.store()


def proved(flash: str, ca: str) -> None:
    """Keep which authority proved the broker: the next boot tries it first."""
    kept = _kept(flash)
    kept.facts["ca"] = ca
    kept.store()
