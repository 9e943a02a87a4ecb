"""Tasmota: `cmnd/TOPIC/…`, `stat/TOPIC/…`, `tele/TOPIC/…`; a plug is a POWER, a fan a FanSpeed of 0 to 3.

A plug ends a command by `PulseTime`, which every POWER ON starts anew; a fan's relays have none. Read in
Tasmota's own source (support_tasmota.ino, ExecuteCommandPower), 2026-11.
"""

from edge.dialect.speech import Device, Dialect, Heard, Said, Unheard, level_of, object_of, text_of, watts

TENTHS = 11
"""Up to so many seconds PulseTime counts tenths, above it seconds + 100."""
LONGEST = 64_800
ONLINE = {"Online": True, "Offline": False}


def topics(device: Device) -> tuple[str, ...]:
    """Its answers, its telemetry and its last will."""
    told = {"stat": ("RESULT", "POWER", "STATUS10"), "tele": ("STATE", "SENSOR", "LWT")}
    return tuple(f"{kind}/{device.address}/{leaf}" for kind, leaves in told.items() for leaf in leaves)


def say(device: Device, level: int, ttl: int) -> tuple[Said, ...]:
    """A level; of a plug with its timer."""
    if not device.switch:
        return (Said(f"cmnd/{device.address}/FanSpeed", device.numbered.words[level].encode()),)
    if not level:
        return (Said(f"cmnd/{device.address}/POWER", b"OFF"),)
    timer = f"PulseTime {pulse(ttl)}; " if device.timer else ""
    return (Said(f"cmnd/{device.address}/Backlog", f"{timer}POWER ON".encode()),)


def pulse(ttl: int) -> int:
    """PulseTime's number for a time [s]."""
    return ttl * 10 if ttl <= TENTHS else min(ttl, LONGEST) + 100


def ask(device: Device) -> tuple[Said, ...]:
    """An empty command is answered with the state."""
    command = "POWER" if device.switch else "FanSpeed"
    return (Said(f"cmnd/{device.address}/{command}", b""), Said(f"cmnd/{device.address}/Status", b"10"))


def hear(device: Device, topic: str, payload: bytes) -> Heard | None:
    """A state, a telemetry message, or the last will."""
    leaf = topic.rsplit("/", 1)[-1]
    if leaf == "LWT":
        return Heard(online=ONLINE.get(text_of(payload)))
    if leaf == "POWER":
        return _power(device, text_of(payload))
    said = object_of(payload)
    if leaf in ("SENSOR", "STATUS10"):
        return _drawn(said.get("StatusSNS") if leaf == "STATUS10" else said)
    if device.switch:
        return _power(device, said["POWER"]) if "POWER" in said else None
    return Heard(level_of(device.numbered, str(said["FanSpeed"]))) if "FanSpeed" in said else None


def _drawn(sensors: object) -> Heard | None:
    energy = sensors.get("ENERGY") if isinstance(sensors, dict) else None
    return Heard(power=watts(energy.get("Power"))) if isinstance(energy, dict) else None


def _power(device: Device, word: object) -> Heard | None:
    if word not in ("ON", "OFF"):
        raise Unheard(f'POWER is "{word}", neither ON nor OFF')
    return Heard(int(word == "ON")) if device.switch else None


TASMOTA = Dialect("tasmota", "PulseTime, of a plug", lambda levels: levels == 2, topics, say, ask, hear)
