"""E-mail, to a real server on this machine."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from edge.notify.channel import UndeliveredError
from edge.notify.channels import open_channel
from edge.notify.notification import Notification, notification
from tests.broker.conftest import free_port
from tests.edge.capture.pki import Authority, Identity
from tests.edge.notify.samples import JPEG, SENDER, event, secret_file, target
from tests.fakes import START
from tests.waiting import Stopwatch


class MailServer:
    """Takes mail, unless it is told otherwise; with TLS where it has an identity."""

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        wants_login: bool = False,
        begins_with_tls: bool = False,
    ) -> None:
        self.received: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.refused: dict[str, str] = {}
        """Recipients, and what is said to them."""
        self.answer = "250 OK"
        self.port = free_port()
        context = None
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.certificate, identity.key)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=context if begins_with_tls else None,
            tls_context=None if begins_with_tls else context,
            require_starttls=context is not None and not begins_with_tls,
            auth_required=wants_login,
            authenticator=self.authenticate if wants_login else None,
        )

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data == LoginPassword(b"door", b"right"), handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            self.received.append(message)
            self.envelopes.append(envelope)
        return self.answer

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as opened:
        yield opened


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ours")


def one(snapshot: bytes | None = None) -> Notification:
    return notification([event(snapshot=snapshot)], SENDER, START)


def sent(port: int, note: Notification | None = None, **keys: Any) -> str:
    settings = target(**{
        "kind": "email", "host": "127.0.0.1", "port": port, "tls": "none", "timeout_s": 1.5,
        "from": "door@museum.example", "to": ["desk@museum.example", "head@museum.example"],
        **keys,
    })  # fmt: skip
    return open_channel(settings).send(note or one())


def refusal(port: int, note: Notification | None = None, **keys: Any) -> UndeliveredError:
    with pytest.raises(UndeliveredError) as error:
        sent(port, note, **keys)
    return error.value


def test_a_message_goes_to_all_with_its_picture(server: MailServer) -> None:
    assert sent(server.port, one(JPEG), snapshot=True) == ""
    (message,), (envelope,) = server.received, server.envelopes
    assert envelope.rcpt_tos == ["desk@museum.example", "head@museum.example"]
    assert message["Subject"] == "No mask: north entrance"
    assert message["Message-ID"] == f"<{event().id}@tensormask.invalid>"
    assert message["Auto-Submitted"] == "auto-generated"
    body, picture = message.iter_parts()
    assert "north entrance, Museum (door-1)" in body.get_content()
    assert picture.get_content() == JPEG


def test_a_message_that_is_sent_again_has_the_same_id(server: MailServer) -> None:
    sent(server.port)
    sent(server.port)
    assert len({message["Message-ID"] for message in server.received}) == 1


def test_starttls_and_login(authority: Authority, tmp_path: Path) -> None:
    with MailServer(authority.signed("starttls"), wants_login=True) as server:
        keys: dict[str, Any] = {
            "tls": "starttls",
            "ca_file": str(authority.certificate),
            "user": "door",
        }
        right, wrong = (secret_file(tmp_path, each, each) for each in ("right", "wrong"))
        assert sent(server.port, **keys, password_file=right) == ""
        assert len(server.received) == 1
        error = refusal(server.port, **keys, password_file=wrong)
    assert error.is_final
    assert "it refuses: 535" in str(error)
    assert "check user and password_file" in str(error)


def test_tls_from_the_beginning(authority: Authority) -> None:
    with MailServer(authority.signed("smtps"), begins_with_tls=True) as server:
        assert sent(server.port, tls="tls", ca_file=str(authority.certificate)) == ""
        assert "not trusted" in str(refusal(server.port, tls="tls"))
    assert len(server.received) == 1


def test_a_certificate_that_is_not_trusted_gets_no_password(
    authority: Authority, tmp_path: Path
) -> None:
    password = secret_file(tmp_path, "password", "right")
    with MailServer(authority.signed("untrusted"), wants_login=True) as server:
        error = refusal(server.port, tls="starttls", user="door", password_file=password)
    assert "its certificate is not trusted" in str(error)
    assert not error.is_final


def test_a_server_without_starttls_is_said_to_have_none(server: MailServer) -> None:
    error = refusal(server.port, tls="starttls")
    assert error.is_final
    assert "it does not offer STARTTLS; check port and tls" in str(error)
    assert server.received == []


def test_a_recipient_that_is_refused_does_not_keep_it_from_the_others(server: MailServer) -> None:
    server.refused["head@museum.example"] = "550 no such user"
    said = sent(server.port)
    assert said.endswith("it refuses head@museum.example; the others have it")
    assert server.envelopes[0].rcpt_tos == ["desk@museum.example"]


def test_all_recipients_refused_is_for_somebody_to_fix(server: MailServer) -> None:
    for address in ("desk@museum.example", "head@museum.example"):
        server.refused[address] = "550 no such user"
    error = refusal(server.port)
    assert error.is_final
    assert "it refuses each recipient: 550 no such user; check to" in str(error)


def test_a_full_mailbox_is_tried_again_and_a_message_too_large_without_its_picture(
    server: MailServer,
) -> None:
    server.answer = "452 mailbox full"
    assert not refusal(server.port).is_final
    server.answer = "552 too large"
    error = refusal(server.port, one(JPEG), snapshot=True)
    assert (error.is_final, error.may_be_picture) == (True, True)


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_a_server_that_says_nothing_is_left_in_time(tls: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watch = Stopwatch()
        error = refusal(listener.getsockname()[1], tls=tls)
    assert watch.elapsed_s < 2.5
    assert not error.is_final


def test_a_server_that_drips_is_left_in_time() -> None:
    import threading
    import time

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    for _ in range(600):
                        connection.sendall(b"2")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        stack.callback(thread.join)
        watch = Stopwatch()
        error = refusal(listener.getsockname()[1])
        assert watch.elapsed_s < 2.5
    assert "no complete answer within 1.5 s" in str(error)


def test_a_name_with_a_line_break_adds_no_header(server: MailServer) -> None:
    sender = type(SENDER)("door-1", "Museum", "north\nBcc: thief@example.org")
    sent(server.port, notification([event()], sender, START))
    assert server.received[0]["Bcc"] is None
