"""The versions of the network files: each is kept by its hash, and the journal says which came into force."""

import json
from pathlib import Path

import structlog

from edge.network import Network
from edge.problem import Problem
from gateway.block import Draft
from gateway.journal import Journal
from gateway.network import entries_of_the_past, of_sources, sources

log = structlog.get_logger()

KIND = "network"
"""Blocks whose header is the hash of the version that came into force with them."""


class RewritesPast(Problem):
    """Changed network files contradict those in force about the past; `entries` says where."""

    def __init__(self, path: Path, data: Path, entries: list[str]) -> None:
        advice = f"stop the gateway, then put them in force with: gongi reassign {path} --data {data}"
        listed = "\n  ".join(entries)
        super().__init__(f"the change rewrites the past:\n  {listed}", str(path), advice)
        self.entries = tuple(entries)


def newest(journal: Journal) -> str:
    """The hash of the version in force, empty before the first."""
    heads = journal.heads(KIND, 1)
    return journal.header(heads[0]).decode() if heads else ""


def in_force(journal: Journal) -> Network | None:
    """The version in force; None before the first, and where it can't be read any more (that is logged)."""
    digest = newest(journal)
    if not digest:
        return None
    try:
        texts = json.loads(journal.kept(digest) or b"")
        network, mistakes = of_sources(texts)
        reason = "; ".join(map(str, mistakes))
    except ValueError as error:
        network, reason = None, str(error)
    if network is None:
        log.warning("the network in force can't be read any more", hash=digest, reason=reason)
    return network


def keep(journal: Journal, network: Network, path: Path) -> Draft:
    """Keep the files at `path`, which describe `network`, the models that they name, each by its own hash,
    too, and the block that puts them in force."""
    journal.keep(network.hash, KIND, json.dumps(sources(path), ensure_ascii=False).encode())
    for one in {
        entry.correction.id: entry.correction for entry in network.calibrations if entry.correction
    }.values():
        if journal.kept(one.id) is None:
            journal.keep(one.id, "correction", json.dumps(one.encode()).encode())
    return Draft(KIND, b"", network.hash.encode())


def enter(journal: Journal, network: Network, path: Path, at: int) -> None:
    """Put a version in force at `at` [ns UTC], unless it is."""
    if newest(journal) != network.hash:
        journal.commit(at, [keep(journal, network, path)])


def hold(old: Network, new: Network, now: int, path: Path, data: Path) -> None:
    """Raise `RewritesPast` where `new` changes what `old` says about the time before `now` [ns UTC]."""
    if past := entries_of_the_past(old, new, now):
        raise RewritesPast(path, data, past)
