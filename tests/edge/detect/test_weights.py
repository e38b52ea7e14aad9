from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.detect import weights
from edge.detect.detectors import RES10
from edge.detect.weights import Weights, WeightsFile
from edge.errors import ModelError

BAD_ANSWERS = {
    "/cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nweig",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nweig",
    "/no-http": b"weights\r\n",
    "/nothing": b"",
}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and bad answers at their own addresses."""

    def do_GET(self) -> None:
        if self.path in BAD_ANSWERS:
            self.wfile.write(BAD_ANSWERS[self.path])
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENSORMASK_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def described(content: bytes, *urls: str) -> Weights:
    file = WeightsFile("net.onnx", hashlib.sha256(content).hexdigest(), len(content))
    return Weights("yunet", (file,), "MIT", "a test", urls)


def test_fetched_weights_are_checked_kept_and_found(site: tuple[Path, str], models: Path) -> None:
    folder, address = site
    (folder / "net.onnx").write_bytes(b"weights")
    wanted = described(b"weights", f"{address}/net.onnx")
    assert weights.locate(wanted) is None
    assert weights.fetch(wanted) == models / "net.onnx"
    assert weights.read(wanted) == (b"weights",)
    assert [path.name for path in models.iterdir()] == ["net.onnx"]


def test_a_second_address_is_tried(site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "other.onnx").write_bytes(b"something else")
    (folder / "net.onnx").write_bytes(b"weights")
    wanted = described(
        b"weights", f"{address}/absent", f"{address}/other.onnx", f"{address}/net.onnx"
    )
    said: list[str] = []
    weights.fetch(wanted, said.append)
    assert sum("fetching" in line for line in said) == 3
    assert any("404" in line for line in said)
    assert any("sha256" in line for line in said)


def test_what_is_not_the_file_is_not_kept(site: tuple[Path, str], models: Path) -> None:
    folder, address = site
    (folder / "net.onnx").write_bytes(b"weights and a surprise of many bytes")
    with pytest.raises(ModelError, match=r"could not be fetched .*copy the file net.onnx by hand"):
        weights.fetch(described(b"weights", f"{address}/net.onnx"))
    assert not models.exists()


def test_weights_changed_on_disk_are_refused(models: Path) -> None:
    models.mkdir()
    (models / "net.onnx").write_bytes(b"tampered")
    with pytest.raises(ModelError, match="damaged, or another version"):
        weights.read(described(b"weights", "https://example.invalid/net.onnx"))


def test_missing_weights_say_how_to_get_them() -> None:
    with pytest.raises(ModelError, match="tensormask models fetch yunet"):
        weights.read(described(b"weights", "https://example.invalid/net.onnx"))


def test_the_weights_of_res10_come_with_the_requirements() -> None:
    description, network = weights.read(RES10.weights)
    assert (len(description), len(network)) == tuple(f.size_bytes for f in RES10.weights.files)


def test_only_the_web_is_fetched_from(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"weights")
    with pytest.raises(ModelError, match="only http"):
        weights.fetch(described(b"weights", secret.as_uri()))


@pytest.mark.parametrize("bad", BAD_ANSWERS)
def test_after_a_bad_answer_the_next_address_is_tried(
    site: tuple[Path, str], models: Path, bad: str
) -> None:
    folder, address = site
    (folder / "net.onnx").write_bytes(b"weights")
    said: list[str] = []
    wanted = described(b"weights", f"{address}{bad}", f"{address}/net.onnx")
    assert weights.fetch(wanted, said.append) == models / "net.onnx"
    assert sum("fetching" in line for line in said) == 2
    assert [path.name for path in models.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("bad", BAD_ANSWERS)
def test_bad_answers_everywhere_are_one_line_and_leave_nothing(
    site: tuple[Path, str], models: Path, bad: str
) -> None:
    with pytest.raises(ModelError, match=r"^yunet could not be fetched \(.+\); copy .*$"):
        weights.fetch(described(b"weights", f"{site[1]}{bad}"))
    assert not models.exists()


def test_what_cannot_be_put_in_its_place_leaves_nothing_half_written(
    site: tuple[Path, str], models: Path
) -> None:
    folder, address = site
    (folder / "net.onnx").write_bytes(b"weights")
    (models / "net.onnx").mkdir(parents=True)
    with pytest.raises(ModelError, match="run it as a user who can write there"):
        weights.fetch(described(b"weights", f"{address}/net.onnx"))
    assert [path.name for path in models.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("content", [b"weig", b"weighty"])
def test_damaged_weights_are_reported_with_their_fix(models: Path, content: bytes) -> None:
    wanted = described(b"weights", "https://example.invalid/net.onnx")
    assert weights.state(wanted) == "missing; tensormask models fetch yunet"
    models.mkdir()
    (models / "net.onnx").write_bytes(content)
    assert weights.state(wanted).startswith(f"damaged: {models / 'net.onnx'}")
    assert weights.state(wanted).endswith("fix: tensormask models fetch yunet")
    (models / "net.onnx").write_bytes(b"weights")
    assert weights.state(wanted) == str(models / "net.onnx")


def test_weights_that_the_program_carries_are_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"weights")
    carried = dataclasses.replace(described(b"weights"), folder=tmp_path)
    assert weights.read(carried) == (b"weights",)
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(ModelError, match="install the program again"):
        weights.read(carried)


def test_a_download_shows_how_far_it_is(site: tuple[Path, str]) -> None:
    folder, address = site
    content = bytes(2 * weights.PART_BYTES + 1)
    (folder / "net.onnx").write_bytes(content)
    seen: list[tuple[int, int | None]] = []

    def progress(
        items: Iterable[bytes], text: str, total: int | None, unit: str, scale: int
    ) -> Iterator[bytes]:
        for part in items:
            seen.append((len(part), total))
            yield part

    assert weights.download(f"{address}/net.onnx", len(content), progress) == content
    assert seen == [(weights.PART_BYTES, 3), (weights.PART_BYTES, 3), (1, 3)]
    assert len(weights.download(f"{address}/net.onnx", 100)) == 101, "no more than is asked for"
