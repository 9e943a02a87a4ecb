"""What an actuator adds to `info`: its levels, its refusals, its updates."""

from lib.seldom import call


def facts(actuator: object) -> tuple:
    """Return the actuator's own facts."""
    control = actuator.control
    return (
        ("sensors", []),
        ("boot", actuator.kept.facts["boot"]),
        ("levels", control.levels),
        ("safe_level", control.safe),
        ("refused", tuple(sorted(control.refused.items()))),
        ("stale", actuator.room.stale),
    ) + call("lib.release", "described", actuator.board.slots)
