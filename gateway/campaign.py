"""A calibration campaign as the JSON object that `gongi calibrate fit` prints."""

from collections.abc import Sequence
from typing import Any

from edge.fit.choose import Trial
from edge.fit.fit import Campaign, Fitted, Series
from edge.fit.score import DAY, TARGETS, Agreement, Bounds, Score, met, score
from edge.fit.spread import NOMINAL, overall
from edge.fit.transfer import Left
from gateway.calibration import kept, plain

HOUR = 3_600_000_000_000


def said(campaign: Campaign) -> dict[str, Any]:
    """`nodes`, `pooled`, `model`, `targets` and `coverage` of a campaign."""
    quantity = campaign.fleet.quantity
    return {
        "nodes": [_node(node) for node in campaign.nodes],
        "pooled": _pooled(campaign),
        "model": {**kept(campaign), **_choice(campaign)},
        "targets": targets(campaign, TARGETS.get(quantity)),
        "coverage": _coverage(campaign.nodes),
    }


def _node(node: Fitted) -> dict[str, Any]:
    one = node.one
    return {
        "node": one.node,
        "site": one.site,
        "raw": node.raw.said(),
        "cv": node.cv.said(),
        "nested": node.nested.said(),
        "correction": node.correction.id,
        "clock": {
            "reference_late_h": one.ahead * one.inputs.step / HOUR,
            "moved_h": one.shift * one.inputs.step / HOUR,
        },
        "suspect": int((one.scored & one.suspect).sum()),
    }


def _pooled(campaign: Campaign) -> dict[str, Any]:
    return {
        "raw": campaign.raw.said(),
        "cv": campaign.cv.said(),
        "nested": campaign.nested.said(),
        "learning": [plain(lesson) for lesson in campaign.lessons],
        "enough_days": campaign.enough,
        "residuals": {name: [plain(band) for band in bands] for name, bands in campaign.residuals.items()},
    }


def _choice(campaign: Campaign) -> dict[str, Any]:
    return {
        "terms": list(campaign.chosen.form.terms),
        "fleet_rows": campaign.chosen.fleet.weight,
        "tried": [_trial(trial) for trial in campaign.tried],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "form": trial.form.name,
        "tier": trial.form.tier,
        "rmse": trial.rmse,
        "worse": trial.worse / trial.count,
        "error": trial.error / trial.count,
        "within": trial.worse <= trial.error,
    }


def targets(campaign: Campaign, bounds: Bounds | None) -> dict[str, Any]:
    """EPA's targets by hour and by local day, before and after, and how units agree; empty where a quantity
    has none."""
    if bounds is None:
        return {}
    return {
        "hourly": [_against(n.one.node, n.rows, bounds) for n in campaign.nodes if n.rows.step < DAY],
        "daily": [_against(n.one.node, n.days, bounds) for n in campaign.nodes],
        "units": [
            {"site": site, "raw": _agreed(raw, bounds), "cv": _agreed(value, bounds)}
            for site, (raw, value) in campaign.units.items()
        ],
    }


def _against(name: str, rows: Series, bounds: Bounds) -> dict[str, Any]:
    scores = {"raw": score(rows.raw, rows.reference), "cv": score(rows.value, rows.reference)}
    verdicts = {which: _verdict(one, bounds) for which, one in scores.items()}
    return {"node": name, "n": rows.time.size, **verdicts}


def _verdict(found: Score, bounds: Bounds) -> dict[str, Any]:
    ticks = met(found, bounds)
    line = {"r2": found.correlation2, "slope": found.slope, "intercept": found.intercept}
    errors = {"rmse": found.rmse, "nrmse": found.nrmse, "bias": found.bias}
    known = {name: value if value == value else None for name, value in {**line, **errors}.items()}
    return {**known, "met": ticks, "all": all(ticks.values())}


def _agreed(found: Agreement, bounds: Bounds) -> dict[str, Any]:
    return {**plain(found), "met": found.sd <= bounds.sd or found.cv <= bounds.cv}


def _coverage(nodes: Sequence[Fitted]) -> dict[str, Any]:
    found = [node.coverage for node in nodes]
    worst = [one.worst for one in found if one.worst == one.worst]
    return {
        "nominal": NOMINAL,
        "share": overall(found),
        "worst_block": min(worst) if worst else None,
        "nodes": [{**plain(one), "worst_block": one.worst} for one in found],
    }


def transferred(found: Sequence[Left]) -> dict[str, Any]:
    """What `gongi calibrate transfer` prints."""
    return {"nodes": [_left(left) for left in found]}


def _left(left: Left) -> dict[str, Any]:
    rows = left.one.scored
    got = score(left.value[rows], left.one.reference[rows])
    return {
        "node": left.one.node,
        "site": left.one.site,
        **got.said(),
        "teachers": list(left.teachers),
        "terms": list(left.terms),
        "share": left.share,
    }
