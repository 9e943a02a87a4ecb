"""`gongi actuator`: purifiers and ventilators by hand, through the running gateway."""

import json
import os
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.override import LONGEST
from gateway.remote import Remote, segment
from gateway.walk import Patience, Step, Walk
from gateway.words import LANGUAGES, words

EPILOG = """\b
Examples:
  gongi actuator list                           what each does, and why
  gongi actuator set 3-2-p 2 --minutes 30       level 2 for half an hour, whatever the gateway would decide
  gongi actuator release 3-2-p                  let the gateway decide again
  gongi actuator test 3-2-p --json              prove every level
"""
URL = click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The gateway's page.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
LANG = click.option(
    "--lang", type=click.Choice(list(LANGUAGES)), default="en", help="Language of what is said."
)


@click.group(epilog=EPILOG)
def actuator() -> None:
    """Set purifiers and ventilators by hand, and test them, through the running gateway.

    Where the gateway has a GONGI_TOKEN, this command needs it too, in its environment. --json everywhere.
    """


def _remote(url: str) -> Remote:
    return Remote(url, os.environ.get("GONGI_TOKEN", ""))


@actuator.command("list", epilog="Example: gongi actuator list --url http://127.0.0.1:8080")
@URL
@LANG
@JSON
def list_command(url: str, lang: str, as_json: bool) -> None:
    """Show every actuator: what it does, why, and who has set it by hand."""
    found = _remote(url).get("actuators", lang=lang)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("actuator", "where", "dialect", "level", "power", "why", show_edge=False)
    for one in found["actuators"]:
        now = one["now"]
        why = now["override"]["said"] if now["override"] else now["why"]
        power = "" if now["power"] is None else f"{now['power']:g} W"
        where = f"{one['site']}/{now['room']}"
        table.add_row(
            now["id"], where, one["dialect"], now["level_word"], power, f"{why} {now['answer_word']}"
        )
    Console().print(table)


@actuator.command("set", epilog="Example: gongi actuator set 3-2-p 2 --minutes 30 --why 'parents visit'")
@click.argument("actuator")
@click.argument("level", type=click.IntRange(0, 255))
@click.option(
    "--minutes",
    type=click.FloatRange(0, LONGEST, min_open=True),
    default=30,
    show_default=True,
    help="Until when.",
)
@click.option("--why", default="", help="Shown on the page.")
@click.option("--who", default="", help="Shown on the page; nobody proves it.")
@URL
@LANG
@JSON
def set_command(
    actuator: str, level: int, minutes: float, why: str, who: str, url: str, lang: str, as_json: bool
) -> None:
    """Have LEVEL for a time, whatever the gateway would decide."""
    said = {"level": level, "minutes": minutes, "why": why, "who": who}
    _say(_remote(url).post(f"actuators/{segment(actuator)}/override?lang={lang}", said), lang, as_json)


@actuator.command(epilog="Example: gongi actuator release 3-2-p")
@click.argument("actuator")
@click.option("--who", default="", help="Kept in the journal; nobody proves it.")
@URL
@LANG
@JSON
def release(actuator: str, who: str, url: str, lang: str, as_json: bool) -> None:
    """Let the gateway decide again, before the time is over."""
    _say(_remote(url).delete(f"actuators/{segment(actuator)}/override", who=who, lang=lang), lang, as_json)


def _say(found: dict[str, Any], lang: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    override = found["now"]["override"]
    said = override["said"] if override else words(lang).gettext("The gateway decides.")
    click.echo(f"{found['now']['id']}: {said}")


@actuator.command(epilog="Example: gongi actuator test 3-2-p --hold 15 --json")
@click.argument("actuator")
@click.option(
    "--hold",
    type=click.FloatRange(1, 120),
    default=10,
    show_default=True,
    help="Minutes for a level that only the room's particles can prove.",
)
@click.option("--patience", type=click.FloatRange(1, 600), default=60, help="Seconds for its answer.")
@click.option("--settle", type=click.FloatRange(0, 600), default=10, help="Seconds until its power counts.")
@URL
@LANG
@JSON
def test(
    actuator: str, hold: float, patience: float, settle: float, url: str, lang: str, as_json: bool
) -> None:
    """Walk through all levels, and prove each by the power that it draws, or by how fast particles go.

    Many purifiers on a switched plug stay off until a button is pressed, yet the plug confirms: this finds
    them. Best with nobody in the room. Exit status: 0 every level is proved, 1 one is not, 2 wrong call.
    """
    waits = Patience(acknowledge=patience, settle=settle, hold=hold * 60)
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], TextColumn("{task.fields[what]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(actuator, total=None, what="")

        def tell(level: int, of: int, what: str) -> None:
            bar.update(task, completed=level, total=of, what=f"level {level} {what}")

        steps = Walk(_remote(url), actuator, waits, tell).run()
    _tell(actuator, steps, lang, as_json)
    raise SystemExit(0 if all(step.finding.proved for step in steps) else 1)


def _tell(actuator: str, steps: list[Step], lang: str, as_json: bool) -> None:
    if as_json:
        proved = all(step.finding.proved for step in steps)
        said = {"actuator": actuator, "proved": proved, "levels": [step.row() for step in steps]}
        click.echo(json.dumps(said, ensure_ascii=False))
        return
    table = Table("level", "confirms", "power", "proved", "found", show_edge=False)
    for step in steps:
        power = "" if step.power is None else f"{step.power:g} W"
        confirms, sure = ("yes" if mark else "no" for mark in (step.acknowledged, step.finding.proved))
        table.add_row(str(step.level), confirms, power, sure, step.said(lang))
    Console().print(table)
