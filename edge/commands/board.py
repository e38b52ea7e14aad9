"""What a live view shows: the devices and the latest alerts, as data and as a picture of it.

Pure: what comes, the time and the size of the terminal come from outside. All that a device says is
put into rich's Text, never into markup, and is cleaned before.
"""

from __future__ import annotations

import textwrap
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.commands.alert_lines import AlertLine, Alerts, Tone, clean, device_of, read, words_of
from edge.publish.answers import Received
from edge.publish.messages import (
    AVAILABILITY,
    AvailabilityMessage,
    AvailabilityState,
    ComplianceMessage,
    ComplianceTally,
    HealthMessage,
    ViolationMessage,
)
from edge.records import ViolationKind, ViolationState
from edge.words import duration

MAX_DEVICES = 1000
MAX_ALERTS = 200
MAX_STATUS_LINES = 4
NARROW = 64
"""Below this many columns a device takes two lines."""
STILL_OPEN = timedelta(minutes=10)
"""How long a violation is taken for one that is not over: its end may have been missed."""


@dataclass(slots=True)
class DeviceRow:
    """What is known of one device; None: it has not said."""

    name: str
    zone: str = ""
    state: AvailabilityState | None = None
    since: datetime | None = None
    """When it came, went or, as far as the broker knows, was there last."""
    health: HealthMessage | None = None
    hour: ComplianceTally | None = None
    kind: ViolationKind | None = None
    """Of the last violation."""
    violated_at: datetime | None = None
    open_event: str = ""
    """The last violation's, until it is over."""

    @property
    def is_there(self) -> bool:
        return self.state is AvailabilityState.ONLINE

    def needs_eyes(self, now: datetime) -> bool:
        """Return whether it comes first: gone, not well, or somebody without a mask right now."""
        said = state_words(self, now), health_words(self), violation_words(self, now)
        return any(tone is Tone.ALARM for _, tone in said)


class Board:
    """Takes in messages; bounded, whatever comes."""

    def __init__(self) -> None:
        self.status = ""
        """How the connection does."""
        self.devices: OrderedDict[str, DeviceRow] = OrderedDict()
        self.alerts: deque[AlertLine] = deque(maxlen=MAX_ALERTS)
        self._news = Alerts()

    def take(self, message: Received, now: datetime) -> None:
        name, kind = device_of(message), message.topic.split("/")[-1]
        if not message.payload and kind == AVAILABILITY:  # taken down: `tensormask forget`
            self.devices.pop(name, None)
            return
        heard = read(message.payload)
        if heard is not None:
            self._note(self._device(name), heard.content, heard.at, now)
        if heard is None or isinstance(heard.content, AvailabilityMessage | ViolationMessage):
            alert = self._news.alert(message, now)
            if alert is not None:
                self.alerts.append(alert)

    def _device(self, name: str) -> DeviceRow:
        device = self.devices.setdefault(name, DeviceRow(name))
        self.devices.move_to_end(name)
        if len(self.devices) > MAX_DEVICES:
            self.devices.popitem(last=False)
        return device

    def _note(self, device: DeviceRow, content: object, at: datetime, now: datetime) -> None:
        match content:
            case AvailabilityMessage():
                device.state, device.since = content.state, at
                device.zone = clean(content.zone)
                device.open_event = ""  # a device that is back has ended it, or reports it again
            case HealthMessage():
                device.health = content
            case ComplianceMessage():
                device.hour = content.last_hour
            case ViolationMessage(state=ViolationState.CONFIRMED):
                device.kind = content.kind
                device.violated_at = at if content.clock_synchronised else now
                device.open_event = content.event_id
            case ViolationMessage(event_id=device.open_event):
                device.open_event = ""


def state_words(device: DeviceRow, now: datetime) -> tuple[str, Tone]:
    """Return whether it is there, and since when it is not."""
    if device.state is None:
        return "unknown", Tone.WARNING
    if device.is_there or device.since is None:
        return str(device.state), Tone.GOOD if device.is_there else Tone.WARNING
    tone = Tone.ALARM if device.state is AvailabilityState.OFFLINE else Tone.WARNING
    # A will was written when the connection began: when it broke is not known.
    since = "" if device.state is AvailabilityState.OFFLINE else f" {_ago(device.since, now)}"
    return f"{device.state}{since}", tone


def health_words(device: DeviceRow) -> tuple[str, Tone]:
    """Return how it does in few words; nothing of one that is not there."""
    if device.health is None or not device.is_there:
        return "", Tone.PLAIN
    return words_of(device.health)


def hour_words(device: DeviceRow) -> str:
    """Return the counts of the last hour."""
    hour = device.hour
    if hour is None:
        return ""
    wrong = f", {hour.worn_wrongly} wrong" if hour.worn_wrongly else ""
    return f"{hour.bare} of {hour.seen} no mask{wrong}"


def violation_words(device: DeviceRow, now: datetime) -> tuple[str, Tone]:
    """Return the last violation that came while this view was open, and its age."""
    if device.violated_at is None:
        return "", Tone.PLAIN
    what = "no mask" if device.kind is ViolationKind.BARE else "wrong"
    if device.open_event and now - device.violated_at < STILL_OPEN:
        return f"{what} now", Tone.ALARM
    return f"{what} {_ago(device.violated_at, now)} ago", Tone.PLAIN


def _ago(at: datetime, now: datetime) -> str:
    return duration(max(0.0, (now - at) / timedelta(seconds=1)))


def view(board: Board, now: datetime, width: int, height: int) -> RenderableType:
    """Return what a terminal of this width and height shows at `now`: never more than fits."""
    order = sorted(board.devices.values(), key=lambda each: (not each.needs_eyes(now), each.name))
    narrow = width < NARROW
    lines_each = 2 if narrow else 1
    room = max(1, (2 * height // 3 - 3) // lines_each)
    shown, hidden = order[:room], len(order) - len(order[:room])
    status = textwrap.wrap(clean(board.status, 200) or "connecting", width)[:MAX_STATUS_LINES]
    parts: list[RenderableType] = [_line(line, style="bold") for line in status]
    parts.append((_stacked if narrow else _table)(shown, now))
    if hidden:
        parts.append(_line(f"… and {hidden} more", style="dim"))
    parts.append(Text(""))
    used = len(status) + len(shown) * lines_each + bool(hidden) + 1 + (not narrow)
    left = max(0, height - used)
    parts += [_alert(each, narrow) for each in list(board.alerts)[-left:] if left]
    return Group(*parts)


def _table(devices: list[DeviceRow], now: datetime) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for title, ratio in (
        ("device", 18),
        ("state", 11),
        ("health", 12),
        ("last hour", 17),
        ("last violation", 18),
    ):
        table.add_column(title, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for each in devices:
        table.add_row(
            _named(each),
            Text(*state_words(each, now)),
            Text(*health_words(each)),
            Text(hour_words(each)),
            Text(*violation_words(each, now)),
        )
    return table


def _stacked(devices: list[DeviceRow], now: datetime) -> Group:
    """Return two lines for each device, each line cut where it does not fit."""
    parts: list[RenderableType] = []
    for each in devices:
        head = Table.grid(expand=True, padding=(0, 1))
        head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        head.add_column(justify="right", no_wrap=True)
        head.add_row(_named(each), Text(*state_words(each, now)))
        shown = [health_words(each), violation_words(each, now), (hour_words(each), Tone.PLAIN)]
        words = Text("  ", no_wrap=True, overflow="ellipsis")
        words.append_text(Text(", ").join(Text(*each) for each in shown if each[0]))
        parts += [head, words]
    return Group(*parts)


def _named(device: DeviceRow) -> Text:
    name = Text(device.name, style="bold")
    return name.append(f" {device.zone}", style="dim not bold") if device.zone else name


def _alert(alert: AlertLine, narrow: bool) -> Text:
    gap = " " if narrow else "  "
    line = _line(f"{alert.at:%H:%M:%S}{gap}")
    name = Text(alert.device if narrow or not alert.zone else f"{alert.device} ({alert.zone})")
    name.truncate(12 if narrow else 30, overflow="ellipsis")
    words = " ".join(alert.text.split())
    return line.append_text(name).append(gap).append(words, alert.tone).append(alert.age, "dim")


def _line(text: str, style: str = "") -> Text:
    return Text(clean(text, 200), style, no_wrap=True, overflow="ellipsis")
