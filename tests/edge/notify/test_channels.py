"""What each kind of target gets."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import WebhookSettings
from edge.errors import ConfigError
from edge.notify.channel import UndeliveredError
from edge.notify.channels import open_channel
from edge.notify.notification import Notification, notification
from edge.notify.webhook import Webhook, signature
from tests.edge.notify.receiver import Receiver, status
from tests.edge.notify.samples import JPEG, SECRET, SENDER, TOKEN, event, secret_file, target
from tests.fakes import START


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


def one(snapshot: bytes | None = None) -> Notification:
    return notification([event(snapshot=snapshot)], SENDER, START)


def test_a_webhook_gets_the_whole_notification(receiver: Receiver) -> None:
    open_channel(target(url=f"{receiver.url}/hook", headers={"X-Room": "7"})).send(one())
    (only,) = receiver.received
    assert only.document["schema"] == "tensormask/notification/1"
    assert only.document["what"] == "no_mask"
    assert only.document["event_id"] == only.headers["webhook-id"]
    assert only.headers["Idempotency-Key"] == only.headers["webhook-id"]
    assert only.headers["X-Room"] == "7"
    assert "webhook-signature" not in only.headers


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The vector that its libraries are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signed_webhook_has_a_signature_of_its_own_moment(
    receiver: Receiver, tmp_path: Path
) -> None:
    settings = target(url=receiver.url, secret_file=secret_file(tmp_path, "secret", SECRET))
    assert isinstance(settings, WebhookSettings)
    Webhook(settings, "key", lambda: 1614265330.9).send(one())
    (only,) = receiver.received
    assert only.headers["webhook-timestamp"] == "1614265330"
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    right = signature(key, only.headers["webhook-id"], 1614265330, only.body)
    assert only.headers["webhook-signature"] == right["webhook-signature"]


def test_a_template_makes_the_json_that_a_chat_wants(receiver: Receiver) -> None:
    template = '{"content": "{title}: {text}", "sure": "{probability}", "more": ["{more}"]}'
    open_channel(target(url=receiver.url, template=template)).send(one())
    (only,) = receiver.documents
    assert only["sure"] == 0.97
    assert only["more"] == [0]
    assert only["content"].startswith("No mask: For 1 s, 97 % sure; north entrance, Museum")


def test_a_secret_address_comes_from_a_file_and_is_not_repeated(
    receiver: Receiver, tmp_path: Path
) -> None:
    file = secret_file(tmp_path, "url", f"{receiver.url}/services/T0/B0/secret")
    channel = open_channel(target(url_file=file))
    receiver.usual = status(404)
    with pytest.raises(UndeliveredError) as error:
        channel.send(one())
    assert receiver.received[0].path == "/services/T0/B0/secret"
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "check"),
    [
        ({}, "check whether it wants a token_file"),
        ({"secret_file": SECRET}, "check secret_file"),
        ({"token_file": "0123456789abcdef0123", "secret_file": SECRET}, "token_file and secret_"),
    ],
)
def test_a_webhook_that_is_not_let_in_names_what_it_shows(
    receiver: Receiver, tmp_path: Path, keys: dict[str, str], check: str
) -> None:
    files = {key: secret_file(tmp_path, key, text) for key, text in keys.items()}
    receiver.usual = status(401)
    with pytest.raises(UndeliveredError, match=f"HTTP 401; .*{check}"):
        open_channel(target(url=receiver.url, **files)).send(one())


def test_a_token_is_a_bearer(receiver: Receiver, tmp_path: Path) -> None:
    file = secret_file(tmp_path, "token", "0123456789abcdef0123")
    open_channel(target(url=receiver.url, token_file=file)).send(one())
    assert receiver.received[0].headers["Authorization"] == "Bearer 0123456789abcdef0123"


def test_ntfy_gets_json_and_with_a_picture_headers(receiver: Receiver, tmp_path: Path) -> None:
    token = secret_file(tmp_path, "token", "tk_0123456789abcdef0123456789")
    settings = target(
        kind="ntfy", server=f"{receiver.url}/", topic="door", token_file=token, priority=4,
        snapshot=True,
    )  # fmt: skip
    channel = open_channel(settings)
    channel.send(one())
    channel.send(one(JPEG))
    plain, pictured = receiver.received
    assert (plain.method, plain.path) == ("POST", "/")
    assert plain.document["topic"] == "door"
    assert plain.document["priority"] == 4
    assert plain.headers["Authorization"] == "Bearer tk_0123456789abcdef0123456789"
    assert (pictured.method, pictured.path, pictured.body) == ("PUT", "/door", JPEG)
    assert pictured.headers["Title"] == "No mask"
    assert "north entrance" in pictured.headers["Message"]


def test_a_header_of_ntfy_has_no_line_breaks_and_only_ascii(receiver: Receiver) -> None:
    sender = type(SENDER)("door-1", "Musée\nX-Evil: 1", "")
    channel = open_channel(target(kind="ntfy", server=receiver.url, topic="door", snapshot=True))
    channel.send(notification([event(snapshot=JPEG)], sender, START))
    (only,) = receiver.received
    assert "X-Evil" not in only.headers
    text = only.headers["Message"].removeprefix("=?UTF-8?B?").removesuffix("?=")
    assert "Musée X-Evil: 1" in base64.b64decode(text).decode()


def test_telegram_gets_a_message_and_with_a_picture_a_photo(
    receiver: Receiver, tmp_path: Path
) -> None:
    token = secret_file(tmp_path, "token", TOKEN)
    settings = target(
        kind="telegram", server=receiver.url, chat_id="-100123", token_file=token, snapshot=True
    )
    channel = open_channel(settings)
    channel.send(one())
    channel.send(one(JPEG))
    plain, pictured = receiver.received
    assert plain.path == f"/bot{TOKEN}/sendMessage"
    assert plain.document["chat_id"] == "-100123"
    assert pictured.path == f"/bot{TOKEN}/sendPhoto"
    assert JPEG in pictured.body
    assert b'name="chat_id"\r\n\r\n-100123\r\n' in pictured.body


def test_telegram_says_how_long_to_wait_and_why_it_refuses(
    receiver: Receiver, tmp_path: Path
) -> None:
    token = secret_file(tmp_path, "token", TOKEN)
    channel = open_channel(
        target(kind="telegram", server=receiver.url, chat_id="1", token_file=token)
    )
    receiver.answers.append(
        status(429, b'{"description":"Too Many Requests","parameters":{"retry_after":9}}')
    )
    receiver.answers.append(
        status(400, b'{"ok":false,"description":"Bad Request: chat not found"}')
    )
    with pytest.raises(UndeliveredError) as busy:
        channel.send(one())
    assert (busy.value.wait_s, busy.value.is_final) == (9, False)
    with pytest.raises(UndeliveredError) as wrong:
        channel.send(one())
    assert wrong.value.is_final
    assert "(Bad Request: chat not found)" in str(wrong.value)
    assert TOKEN not in f"{busy.value}{wrong.value}"


@pytest.mark.parametrize(
    ("keys", "text", "said"),
    [
        ({"secret_file": "secret"}, "short", "5 characters; a token has 20 or more"),
        ({"secret_file": "secret"}, "whsec_no+base64*at-all-so", "is no base64"),
        ({"url_file": "secret", "url": ""}, "ftp://h/x", "desk url_file: write http://host"),
        ({"kind": "telegram", "chat_id": "1", "token_file": "secret"}, "x", "no bot's token"),
    ],
)
def test_a_secret_that_cannot_be_one_is_said_to_be_none(
    tmp_path: Path, keys: dict[str, str], text: str, said: str
) -> None:
    secret_file(tmp_path, "secret", text)
    given = {
        key: str(tmp_path / "secret") if value == "secret" else value for key, value in keys.items()
    }
    if "kind" not in given and "url_file" not in given:
        given["url"] = "http://127.0.0.1/"
    with pytest.raises(ConfigError) as error:
        open_channel(target(**given))
    assert said in str(error.value)
    assert text not in str(error.value) or len(text) < 3


def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    file = secret_file(tmp_path, "secret", SECRET)
    Path(file).chmod(0o644)
    with pytest.raises(ConfigError, match="everybody can read"):
        open_channel(target(url="http://127.0.0.1/", secret_file=file))
