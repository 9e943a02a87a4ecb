"""What brokers are told of users and rights: Mosquitto's password and ACL files, NATS's users."""

import hashlib
import json
import os
import signal
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edge.problem import Problem
from firmware.toolkit.rights import GATEWAY, Rights
from firmware.toolkit.secrets import Credentials, Insecure, Secrets, tracked, write_private

ITERATIONS = 101
"""Mosquitto's own number; the passwords have 118 bits, which no number of guesses finds."""
HEAD = "# Made by gongi credentials; what is changed here is lost at the next call.\n"
NATS_DELIVERY = "$MQTT.sub.>"
"""How a NATS server delivers QoS 1 to a subscriber."""
SUBJECT = str.maketrans({"/": ".", ".": "//", "+": "*"})

User = tuple[Rights, Credentials]


def render(secrets: Secrets, rights: Iterable[Rights]) -> dict[str, str]:
    """The files by name below `secrets/`; a device that is being rotated stands in them twice."""
    users = [(one, valid) for one in rights for valid in secrets.valid(one.device)]
    return {
        "mosquitto/passwords": "".join(_password(secrets, *user) for user in users),
        "mosquitto/acl": HEAD + "".join(_acl(*user) for user in users),
        "nats/users.conf": _nats(users),
        "gateway.env": "".join(_environment(valid) for valid in secrets.valid(GATEWAY)[-1:]),
    }


def _password(secrets: Secrets, one: Rights, valid: Credentials) -> str:
    """`user:$7$iterations$salt$hash`, PBKDF2 with SHA-512."""
    salt = secrets.salt(one.device, valid.generation)
    digest = hashlib.pbkdf2_hmac("sha512", valid.password.encode(), salt, ITERATIONS)
    return f"{valid.user}:$7${ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}\n"


def _acl(one: Rights, valid: Credentials) -> str:
    both = [topic for topic in one.write if topic in one.read]
    lines = [f"topic readwrite {topic}" for topic in both]
    lines += [f"topic write {topic}" for topic in one.write if topic not in both]
    lines += [f"topic read {topic}" for topic in one.read if topic not in both]
    return f"\nuser {valid.user}\n" + "".join(f"{line}\n" for line in lines)


def _nats(users: Sequence[User]) -> str:
    entries = "".join(_nats_user(*user) for user in users)
    return f"{HEAD}authorization {{\n  users: [\n{entries}  ]\n}}\n"


def _nats_user(one: Rights, valid: Credentials) -> str:
    publish = [subject for topic in one.write for subject in subjects(topic)]
    subscribe = [subject for topic in one.read for subject in subjects(topic)]
    subscribe += [NATS_DELIVERY] if one.device == GATEWAY else []
    return (
        f'    {{\n      user: "{valid.user}", password: "{valid.password}"\n      permissions: {{\n'
        f"        publish: {json.dumps(publish)}\n        subscribe: {json.dumps(subscribe)}\n"
        "      }\n    }\n"
    )


def subjects(topic: str) -> list[str]:
    """The NATS subjects of an MQTT topic filter; `a/#` is `a` and all below it. Raises `Problem`."""
    if set(topic) & set('*>"\\'):
        raise Problem(
            f"the topic {topic!r} can't be a subject of NATS", advice='choose a root without * > " and \\'
        )
    if topic.endswith("/#"):
        base = topic[:-2].translate(SUBJECT)
        return [base, f"{base}.>"]
    return [topic.translate(SUBJECT)]


def _environment(valid: Credentials) -> str:
    return f"GONGI_MQTT_USER={valid.user}\nGONGI_MQTT_PASSWORD={valid.password}\n"


def differing(folder: Path, files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The files that aren't as they should be: what stands there, what should."""
    there = {name: _text(folder / name) for name in files}
    return {name: (there[name], text) for name, text in files.items() if there[name] != text}


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def write(folder: Path, files: Iterable[str], texts: Mapping[str, str]) -> None:
    """Write these of the files, each whole or not at all, readable by their owner alone."""
    for name in files:
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, texts[name].encode())


def ignored(folder: Path) -> None:
    """Raise `Insecure` where git would track the files below this folder."""
    if tracked(folder / "nats/users.conf"):
        raise Insecure(
            "git would track the secrets here",
            str(folder),
            "add it to .gitignore, or name a folder that git ignores",
        )


def reload(pid_file: Path) -> int:
    """Let the broker whose process id stands in this file read its files anew; returns that id."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None:
        raise Problem("this system has no SIGHUP", advice="restart the broker")
    try:
        pid = int(pid_file.read_text())
        if pid <= 0:  # the system would take it for a whole group
            raise ValueError(pid)
        os.kill(pid, hang_up)
    except (ValueError, OverflowError, ProcessLookupError):
        advice = "is it running? its configuration says where it writes this file: pid_file"
        raise Problem("names no process of a broker", str(pid_file), advice) from None
    return pid
