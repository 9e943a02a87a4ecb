"""Every count that the gateway keeps, by name, on `/metrics` (the module that knows prometheus_client)."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "messages": ("MQTT messages received", ("kind",)),
    "samples_stored": ("Samples committed to the journal", ()),
    "flagged": ("Values that quality control flagged when they were stored", ("flag",)),
    "batches_stored": ("Batches committed to the journal", ()),
    "doubles": ("Batches that were stored already", ()),
    "conflicts": ("Batches with a stored batch's name and other content", ()),
    "letters": ("Messages that ended in the dead letters", ()),
    "dropped": ("Things given up to keep a store within its bound", ("store",)),
    "unknown_fields": ("Fields of batches that this version doesn't know", ()),
    "impossible_times": ("Batches whose time can't be true", ()),
    "quarantined": ("Messages of nodes that aren't in the network files", ()),
    "unknown_topics": ("Messages on topics that aren't of the wire", ()),
    "late": ("Samples older than their node's newest", ()),
    "untimed": ("Samples that arrived without a time", ()),
    "placed": ("Untimed samples placed by their boot's offset", ()),
    "revised": ("Samples whose flags a catch-up pass settled", ()),
    "implausible": ("Samples whose hours neighbours or stations contradict, or no longer do", ()),
    "stage_failures": ("Blocks that a stage failed on", ("stage",)),
    "commit_failures": ("Commits that the disk refused", ()),
    "resends": ("Gap requests sent", ()),
    "lost": ("Batches named lost", ("reason",)),
    "forecasts": ("Forecasts made", ()),
    "decisions": ("Decisions made", ()),
    "commands": ("Commands published", ("how",)),
    "acknowledgements": ("Commands acknowledged by their actuator", ()),
    "unacknowledged": ("Commands given up and raised as an alarm", ()),
    "overrides": ("Levels that persons asked for, and how that ended", ("event",)),
    "asks": ("Levels asked for on the broker", ("answer",)),
    "influx_lines": ("Lines written to InfluxDB", ()),
    "influx_rejected": ("Lines that InfluxDB refused, kept with its reason", ()),
    "influx_retries": ("Writes to InfluxDB that will be tried again", ()),
    "influx_left_out_unplaced": ("Rows without a place at their time, left out of InfluxDB", ()),
    "influx_left_out_untimed": ("Rows without a time, left out of InfluxDB", ()),
    "influx_erased": ("Points or intervals deleted from InfluxDB because a revision moved them", ()),
    "influx_left_out_empty": ("Rows of nodes that measured nothing, left out of InfluxDB", ()),
    "influx_left_out_malformed": ("Forecasts and states that can't be read, left out of InfluxDB", ()),
    "influx_left_out_released": ("Blocks archived before InfluxDB was configured, left out of it", ()),
    "influx_unreadable_blocks": ("Blocks that couldn't be made into lines, named among the rejected", ()),
    "influx_not_erased": ("Points that InfluxDB refused to delete", ()),
    "means_written": ("Means and indices written to InfluxDB", ()),
    "influx_blocks": ("Blocks that the InfluxDB cursor has passed", ()),
    "reference_values": ("Reference values stored, revisions included", ("source",)),
    "reference_failures": ("Times that a source of reference values gave none", ("source", "kind")),
    "archive_files": ("Archive files written", ()),
    "archive_released": ("Journal blocks released to the archive", ()),
    "reloads": ("Changed network files", ("how",)),
    "models": ("Models trained", ("how",)),
    "recalibrations": ("Proposed recalibrations that the files' policy allows", ("how",)),
}

GAUGES: Mapping[str, str] = {
    "lag_seconds": "Newest block: from receipt to decision",
    "gaps": "Batches awaited below the send cursors",
    "gap_age_seconds": "Age of the oldest gap",
    "alarms": "Alarms that stand",
    "quarantine": "Messages waiting in quarantine",
    "drifting": "Sensors for which a recalibration is proposed",
    "nodes_fresh": "Nodes whose newest sample is younger than three intervals",
    "influx_lag_blocks": "Blocks that InfluxDB lacks",
    "influx_lag_seconds": "Age of the oldest block that InfluxDB lacks",
    "means_waiting": "Hours, days and minutes that have ended and lack their means",
    "means_lag_seconds": "For how long the oldest hour, day or minute that has ended waits for its means",
    "connected": "1 while the broker connection stands",
    "disk_free_bytes": "Free space where the journal stands",
}


class Metrics:
    """Counters and gauges of one gateway; names that aren't in the tables are refused."""

    def __init__(self) -> None:
        # A second line per counter, which Prometheus does not read.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"gongi_{name}", text, labels, registry=self._registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(f"gongi_{name}", text, registry=self._registry) for name, text in GAUGES.items()
        }

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._gauges[name].set(value)

    def value(self, name: str) -> float:
        """A counter's sum over its labels, or a gauge's value."""
        source = self._counters.get(name) or self._gauges[name]
        return sum(sample.value for family in source.collect() for sample in family.samples)

    def text(self) -> bytes:
        """All of them in the Prometheus text format."""
        return generate_latest(self._registry)
