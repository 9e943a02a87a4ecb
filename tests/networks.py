"""Small network files: a room in each site, and nodes that stand there."""

from collections.abc import Mapping, Sequence

SITE = """
[[site]]
id = "{id}"
tz = "Asia/Seoul"

[[site.room]]
id = "1-1"
volume = 180.0
"""
NODE = """
[[node]]
id = "{id}"
placed = [{entries}]
"""
PLACED = '{{since = {since}, site = "{site}", room = "1-1", placement = "indoor"}}'
FIRST = 2020


def school(*nodes: str, more: str = "") -> str:
    """One site, hana, with these nodes; `more`: further lines of each, with its {id}."""
    return network(dict.fromkeys(nodes, ("hana",)), more)


def network(stays: Mapping[str, Sequence[str]], more: str = "", sites: Sequence[str] = ("hana",)) -> str:
    """The sites of each node, one after the other from 2020 on, a year each; the last is that of today."""
    nodes = (NODE.format(id=id, entries=_entries(at)) + more.format(id=id) for id, at in stays.items())
    return "".join((*(SITE.format(id=site) for site in sites), *nodes))


def _entries(sites: Sequence[str]) -> str:
    return ", ".join(PLACED.format(since=f"{FIRST + n}-01-01", site=site) for n, site in enumerate(sites))
