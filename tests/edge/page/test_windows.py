from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.page.windows import CameraWindows
from edge.page.wire import Draw, NextScene, PageReport, Requests, Undo
from tests.edge.page.test_window import Stage

TRIANGLE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Stage]:
    return {name: Stage(tmp_path / name) for name in ("door", "hall")}


@pytest.fixture
def windows(stages: dict[str, Stage]) -> CameraWindows:
    return CameraWindows({name: stage.window for name, stage in stages.items()})


def asked(windows: CameraWindows, request: Requests) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(windows.answer(request)[0])
    return content


def test_an_area_is_drawn_for_the_camera_that_is_named(
    windows: CameraWindows, stages: dict[str, Stage]
) -> None:
    assert asked(windows, Draw((TRIANGLE,), (), camera="hall")) == {"error": ""}
    assert stages["hall"].book.present.regions == (TRIANGLE,)
    assert stages["door"].book.present.regions == ()
    assert asked(windows, PageReport("hall"))["area"]["regions"] != []
    assert asked(windows, PageReport("door"))["area"]["regions"] == []
    assert asked(windows, Undo("hall")) == {"error": ""}
    assert stages["hall"].book.present.regions == ()


@pytest.mark.parametrize("request_of", [Draw((TRIANGLE,), (), camera="yard"), Undo("yard")])
def test_nothing_is_drawn_for_a_camera_that_is_gone(
    windows: CameraWindows, stages: dict[str, Stage], request_of: Requests
) -> None:
    assert "there is no camera yard any more" in asked(windows, request_of)["error"]
    assert stages["door"].book.present.regions == ()


def test_only_the_camera_that_is_shown_is_looked_at(
    windows: CameraWindows, stages: dict[str, Stage]
) -> None:
    windows.answer(NextScene(0, "hall"))
    assert (stages["door"].window.is_looking, stages["hall"].window.is_looking) == (False, True)
    assert windows.is_looking
    windows.rest()
    assert not windows.is_looking
