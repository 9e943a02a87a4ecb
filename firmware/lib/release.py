"""Releases of the application: what `info` says of them, and which of those offered are received."""

from micropython import const

# So young it may not have read its sensors yet, and then a trial would prove too little. [s]
_EARLY_S = const(120)


def described(slots: object) -> tuple:
    """Return what `info` says of updates."""
    facts = slots.facts
    trial = facts["tried"] if slots.on_trial else None
    return (("release", facts["release"]), ("trial", trial), ("failed", facts["failed"]))


def word_against(slots: object, release: int) -> str:
    """Return why a release isn't to be received now, or ever; "" when it is."""
    if slots.facts["trial"] is not None:
        return "trial"
    return "older" if release <= max(slots.facts["tried"], slots.facts["release"]) else ""


def take(update: object, release: int) -> str:
    """Let the next boot receive a release; return "", or the word for why not."""
    device, works = update.device, update.works()
    word = word_against(update.slots, release)
    if not word and device.board.turns["turning"]:
        word = "trial"
    if not word and len(works) < len(device.config.get("sensors", ())) and device.clock.up() < _EARLY_S:
        word = "early"
    if word:
        return word
    try:
        update.slots.store(receiving={"worked": works, "boots": 0})
    except OSError:
        return "room"
    return ""
