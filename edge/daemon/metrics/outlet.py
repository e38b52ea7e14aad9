"""The metrics as text, in the two forms that programs collect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from edge.daemon.lookout import Glance
from edge.daemon.metrics.families import Described, families
from edge.daemon.metrics.figures import Counts, Figures
from edge.daemon.software import SoftwareNotice
from edge.host.health import Stopwatch
from edge.publish.messages import DetectorIdentity, Origin, Versions
from edge.software import Software
from edge.telemetry import Telemetry

NOT_INSTALLED = Software({}, None, ())


class MetricsOutlet:
    """Counts in the loop; makes text of it when, and where, somebody asks."""

    def __init__(
        self,
        identity: Described,
        stopwatches: Mapping[str, Stopwatch],
        software: Callable[[], Software],
        places: Callable[[], Sequence[str]],
    ) -> None:
        """`stopwatches` are by camera."""
        self._identity = identity
        self._counts = Counts(stopwatches, places)
        self._software = software
        self._figures: Figures | None = None

    def start(self) -> None:
        """Nothing is to be begun: it has no thread."""

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Count, and take the figures with each new telemetry: once a second."""
        self._counts.add(glance)
        if self._figures is None or self._figures.telemetry is not telemetry:
            self._figures = self._counts.figures(telemetry, self._software())

    def close(self) -> None:
        """Nothing is to be ended."""

    def text(self, is_open_metrics: bool) -> bytes:
        """Return them, in the form of OpenMetrics or of Prometheus; empty: there are none yet.

        Any thread may ask. It takes some milliseconds.
        """
        figures = self._figures
        if figures is None:
            return b""
        registry = CollectorRegistry()
        registry.register(_Collected(families(self._identity, figures)))
        generate = openmetrics.generate_latest if is_open_metrics else generate_latest
        return generate(registry)


def open_metrics(
    origin: Origin,
    versions: Versions,
    detector: DetectorIdentity,
    stopwatches: Mapping[str, Stopwatch],
    notice: SoftwareNotice | None,
    places: Callable[[], Sequence[str]] = tuple,
) -> MetricsOutlet:
    """Return the outlet; `notice` is None where the program is not installed, `places` are those by
    which visits are counted."""
    identity = Described(origin, versions, detector)
    return MetricsOutlet(
        identity,
        stopwatches,
        lambda: NOT_INSTALLED if notice is None else notice.software,
        places,
    )


class _Collected(Collector):
    """Families that are made already."""

    def __init__(self, made: Iterable[Metric]) -> None:
        self._made = tuple(made)

    def describe(self) -> Iterator[Metric]:
        """Name none: only this collector is in its registry."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        return iter(self._made)
