"""What a block leaves in the journal: rows as they flow, and what devices said beside them."""

from collections.abc import Sequence

import msgspec
import numpy as np

from edge import check, report
from edge.readings import Readings
from edge.report import Info, Report
from edge.wire import Address
from gateway.archive import HOUR
from gateway.block import Draft
from gateway.ledger import GONE, Lost
from gateway.live import Live
from gateway.pack import pack
from gateway.river import Block


def readings_draft(
    readings: Readings, at: int, head: bytes, kind: str = "readings", left: Readings | None = None
) -> list[Draft]:
    """The block of these rows, if there are any, with the archive hours that they touch, and those that they
    touched while they stood as in `left`."""
    if not len(readings):
        return []
    time = readings.time[readings.timed()]
    time = time if left is None else np.concatenate((time, left.time))
    first, last = (int(time.min()), int(time.max())) if time.size else (None, None)
    touched = np.unique(time // HOUR).tolist()
    if not readings.timed().all():
        touched.append(untimed_hour(at))
    return [Draft(kind, pack(readings), head, first, last, tuple(touched))]


def untimed_hour(at: int) -> int:
    """The archive's key of untimed rows that arrived at `at` [ns]: below zero, the older the greater."""
    return -(at // HOUR) - 1


def report_drafts(block: Block, live: Live) -> list[Draft]:
    """Blocks of what devices said beside their samples."""
    drafts = []
    for kind, form in (("info", Info), ("state", report.State)):
        said = [(address, one) for address, one in block.reports if isinstance(one, form)]
        if said:
            body = [_said(block.at, address, one) for address, one in said]
            told = [
                (address.device, int(one.log, 16), one.cursor or 0)
                for address, one in said
                if isinstance(one, Info) and one.log and address.device in live.network.nodes
            ]
            drafts.append(Draft(kind, msgspec.json.encode(body), msgspec.json.encode(told)))
    gone = [
        lost
        for address, one in block.reports
        if isinstance(one, report.Reply) and address.device in live.network.nodes
        for lost in _gone(address, one)
    ]
    if gone:
        drafts.append(lost_draft(gone))
    return drafts


def _said(at: int, address: Address, one: Report) -> dict[str, object]:
    return {"at": at, "site": address.site, "device": address.device, "payload": msgspec.to_builtins(one)}


def _gone(address: Address, reply: report.Reply) -> list[Lost]:
    if reply.log is None:
        return []
    return [Lost(address.device, int(reply.log, 16), low, high, GONE) for low, high in reply.gone]


def lost_draft(lost: Sequence[Lost]) -> Draft:
    """The block that names intervals lost."""
    return Draft("lost", b"", msgspec.json.encode(lost))


def late_rows(readings: Readings) -> list[tuple[str, int, int]]:
    """Nodes with late rows, and the first and last time [ns] of these."""
    late = check.late(readings)
    nodes, times = readings.node[late], readings.time[late]
    return [
        (readings.nodes[code], int(times[nodes == code].min()), int(times[nodes == code].max()))
        for code in np.unique(nodes).tolist()
    ]
