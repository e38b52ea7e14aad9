"""By what the rates of one camera, and of all, are corrected."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.config import Settings, load_settings
from edge.eyes import KnownPeople, LabelCounts, LabelWay, NetworkPair, Qualification
from edge.history.records import Entry, EntryKind
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.qualify.known import eyes_of, networks_of, qualifications
from edge.records import MaskState

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
PEOPLE = (
    KnownPeople(MaskState.MASKED, 0, 30, 29, 1),
    KnownPeople(MaskState.BARE, 0, 30, 1, 29),
)
ONE = '[camera]\nsource = "a.mp4"\n'


def named(*names: str) -> str:
    return "".join(f'[[camera]]\nname = "{each}"\nsource = "{each}.mp4"\n' for each in names)


def box(folder: Path, cameras: str) -> Settings:
    path = folder / "tensormask.toml"
    path.touch(0o600)
    path.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\n[device]\nid = "door-1"\n{cameras}'
        f'[outbox]\npath = "{folder}/outbox.sqlite"\n'
    )
    return load_settings(path)


def measure(
    folder: Path,
    networks: NetworkPair,
    camera: str,
    at: datetime = AT,
    labels: LabelCounts | None = None,
) -> None:
    found = Qualification(1, at, camera, networks, PEOPLE, 60, 0, (), labels)
    write(folder, Entry(at, EntryKind.QUALIFIED, "ada", msgspec.json.encode(found).decode()))


def write(folder: Path, entry: Entry) -> None:
    writer = HistoryWriter(folder / FILE)
    writer.write(HistoryBatch(journal=[entry]))
    writer.close()


def is_measured(settings: Settings, camera: str = "") -> bool:
    eyes = eyes_of(settings, camera)
    return eyes is not None and eyes.source.startswith("measured at this door")


@pytest.mark.parametrize(
    ("cameras", "name"),
    [(ONE, ""), (f'{ONE}name = "door"\n', "door"), (named("door"), "door")],
)
def test_what_was_measured_at_the_only_camera_corrects_the_report_of_all(
    tmp_path: Path, cameras: str, name: str
) -> None:
    settings = box(tmp_path, cameras)
    assert not is_measured(settings)
    measure(tmp_path, networks_of(settings), name)
    assert is_measured(settings)
    assert is_measured(settings, name)


@pytest.mark.parametrize("later", ["from pictures", "at another camera", "too few", "unreadable"])
def test_what_corrects_rates_is_kept_however_old_until_one_that_can_be_used_replaces_it(
    tmp_path: Path, later: str
) -> None:
    settings, day = box(tmp_path, named("door", "hall")), timedelta(days=1)
    networks = networks_of(settings)
    measure(tmp_path, networks, "door", AT - 3 * day)
    measure(tmp_path, networks, "door", AT - 2 * day)
    pictures = LabelCounts(LabelWay.PICTURES, 30, 60, 60, 0, 60, 0, 0, 60)
    few = LabelCounts(LabelWay.DOOR, 30, 60, 40, 0, 40, 0, 0, 40)
    if later == "at another camera":
        measure(tmp_path, networks, "hall", AT)
    elif later == "unreadable":
        write(tmp_path, Entry(AT, EntryKind.QUALIFIED, "ada", '{"schema": 2}'))
    else:
        measure(tmp_path, networks, "door", AT, pictures if later == "from pictures" else few)
    with closing(HistoryWriter(tmp_path / FILE)) as writer:
        writer.forget(AT + 400 * day)
    eyes = eyes_of(settings, "door")
    assert eyes is not None
    assert eyes.source.startswith("measured at this door on 2026-11-27")
    assert is_measured(settings, "hall") == (later == "at another camera")
    kept = len(qualifications(tmp_path / FILE))
    assert kept == 1 + (later in ("at another camera", "unreadable"))


def test_of_several_cameras_it_corrects_only_reports_of_that_one(tmp_path: Path) -> None:
    settings = box(tmp_path, named("door", "hall"))
    measure(tmp_path, networks_of(settings), "door")
    # From when there was one camera, without a name.
    measure(tmp_path, networks_of(settings), "")
    assert is_measured(settings, "door")
    assert not is_measured(settings, "hall")
    assert not is_measured(settings)
