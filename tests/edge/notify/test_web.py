"""Web servers that answer, and all the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.notify.channel import UndeliveredError, tls_context
from edge.notify.web import MAX_ANSWER_BYTES, MAX_WAIT_S, WebServer, wait_asked
from tests.broker.conftest import free_port
from tests.edge.capture.pki import Authority
from tests.edge.notify.receiver import (
    Answer,
    Receiver,
    babble,
    drip,
    drip_body,
    flood,
    hang,
    hang_up,
    status,
)
from tests.waiting import Stopwatch

LIMIT_S = 1.5


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


def sent(url: str, ca_file: Path | None = None) -> None:
    context = tls_context(str(ca_file), "ca_file") if ca_file else None
    server = WebServer(url, context, LIMIT_S)
    server.refuse(server.send(b"{}", {}))


def refusal(url: str, ca_file: Path | None = None) -> UndeliveredError:
    with pytest.raises(UndeliveredError) as error:
        sent(url, ca_file)
    return error.value


def test_a_server_that_answers_well_has_it(receiver: Receiver) -> None:
    sent(f"{receiver.url}/hook?key=1")
    (only,) = receiver.received
    assert (only.method, only.path, only.body) == ("POST", "/hook?key=1", b"{}")
    assert only.headers["User-Agent"].startswith("TensorMask/")


@pytest.mark.parametrize(
    ("code", "is_final", "said"),
    [
        (400, True, "it refuses: HTTP 400; check what it expects"),
        (401, True, "it refuses: HTTP 401; check token_file"),
        (403, True, "it refuses: HTTP 403; check token_file, and what it may do"),
        (404, True, "it refuses: HTTP 404; check the address"),
        (413, True, "it refuses: HTTP 413; it takes no message of this size"),
        (408, False, "it has a problem of its own: HTTP 408"),
        (429, False, "it asks to wait: HTTP 429"),
        (500, False, "it has a problem of its own: HTTP 500"),
        (503, False, "it has a problem of its own: HTTP 503"),
    ],
)
def test_what_a_refusal_means(receiver: Receiver, code: int, is_final: bool, said: str) -> None:
    receiver.usual = status(code)
    error = refusal(receiver.url)
    assert (error.is_final, str(error)) == (is_final, f"{receiver.url}: {said}")


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_server_that_hangs_or_drips_is_left_in_time(receiver: Receiver, answer: Answer) -> None:
    receiver.usual = answer
    watch = Stopwatch()
    error = refusal(receiver.url)
    assert watch.elapsed_s < LIMIT_S + 1
    assert not error.is_final
    assert "answer within" in str(error)


def test_a_refusal_whose_text_does_not_end_is_known_in_time(receiver: Receiver) -> None:
    receiver.usual = drip_body
    watch = Stopwatch()
    assert "HTTP 500" in str(refusal(receiver.url))
    assert watch.elapsed_s < LIMIT_S + 1


def test_a_server_that_takes_the_connection_and_nothing_else_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = refusal(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert "no answer within 0.5 s; check host, port and firewall" in str(error)


def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.usual = flood
    answer = WebServer(receiver.url, None, LIMIT_S).send(b"{}", {})
    assert len(answer.content) == MAX_ANSWER_BYTES


@pytest.mark.parametrize("answer", [hang_up, babble])
def test_a_server_that_answers_nothing_or_nonsense_is_tried_again(
    receiver: Receiver, answer: Answer
) -> None:
    receiver.usual = answer
    assert not refusal(receiver.url).is_final


def test_a_redirect_is_not_followed_and_named_without_its_path(receiver: Receiver) -> None:
    with Receiver() as other:
        receiver.usual = status(308, Location=f"{other.url}/secret?token=1")
        error = refusal(receiver.url)
        assert other.received == []
    assert error.is_final
    assert str(error) == (
        f"{receiver.url}: it redirects to {other.url}, which is not followed; write the address "
        "that it moved to"
    )


def test_a_server_that_is_not_there_is_said_to_be(receiver: Receiver) -> None:
    error = refusal(f"http://127.0.0.1:{free_port()}/a/secret")
    assert not error.is_final
    assert "it refuses the connection" in str(error)
    assert "secret" not in str(error)


def test_a_name_that_does_not_exist_is_said_to_be_none() -> None:
    assert "its name cannot be resolved" in str(refusal("http://nobody.invalid/"))


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with Receiver(authority.signed("server")) as encrypted:
        sent(encrypted.url, authority.certificate)
        assert "its certificate is not trusted" in str(refusal(encrypted.url, other.certificate))
        assert len(encrypted.received) == 1
    with Receiver(authority.signed("elsewhere", "DNS:elsewhere.example")) as misnamed:
        assert "not trusted: IP address mismatch" in str(
            refusal(misnamed.url, authority.certificate)
        )
        assert misnamed.received == []


def test_a_server_that_drips_in_tls_is_left_in_time(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    with Receiver(authority.signed("server")) as encrypted:
        encrypted.usual = drip
        watch = Stopwatch()
        assert "no complete answer within" in str(refusal(encrypted.url, authority.certificate))
        assert watch.elapsed_s < LIMIT_S + 1


def test_a_port_without_tls_is_said_to_be(receiver: Receiver, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    url = receiver.url.replace("http:", "https:")
    assert "does this port speak TLS?" in str(refusal(url, authority.certificate))


def test_retry_after_is_a_number_or_a_date_and_has_a_cap() -> None:
    now = time.mktime((2026, 1, 2, 3, 4, 5, 0, 0, 0)) - time.timezone
    assert wait_asked("17", now) == 17
    assert wait_asked("Fri, 02 Jan 2026 03:04:35 GMT", now) == 30
    assert wait_asked("Fri, 02 Jan 2026 03:00:00 GMT", now) == 0
    assert wait_asked("999999999", now) == MAX_WAIT_S
    assert [wait_asked(each, now) for each in ("", "soon", "nan", "inf")] == [None] * 4
