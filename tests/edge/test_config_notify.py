"""The sections [[notify]]: what is taken, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from edge.config import parse_settings
from edge.config.notify import KINDS, MOST
from edge.errors import ConfigError

HOOK = {"name": "hook", "kind": "webhook", "url": "https://hooks.example/door"}
MAIL = {"name": "mail", "kind": "email", "host": "h", "from": "a@b.example", "to": ["c@d.example"]}
CHAT = {"name": "chat", "kind": "telegram", "token_file": "/t", "chat_id": "-1"}
PHONE = {"name": "phone", "kind": "ntfy", "topic": "door"}
ALL = (HOOK, PHONE, CHAT, MAIL)


def refusal(*tables: Any, **sections: Any) -> str:
    with pytest.raises(ConfigError) as error:
        parse_settings({"mqtt": {"host": "h"}, "notify": list(tables), **sections}, "f")
    return str(error.value).removeprefix("f: ")


def test_all_kinds_are_taken() -> None:
    settings = parse_settings({"mqtt": {"host": "h"}, "notify": list(ALL)}, "f")
    assert [each.kind for each in settings.notify] == list(KINDS)
    assert [each.name for each in settings.notify] == ["hook", "phone", "chat", "mail"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "webhok", "name": "a"}, "(a): kind webhok is not known; known are webhook"),
        ({"name": "a"}, "(a): no kind; known are webhook, ntfy, telegram, email"),
        ({"kind": ["webhook"]}, ": kind ['webhook'] is not known"),
        ({**HOOK, "topic": "x"}, '(hook): unknown key topic; it is one of kind = "ntfy"'),
        ({**HOOK, "urll": "x"}, "(hook): unknown key urll; did you mean url?"),
        ({**HOOK, "url": ""}, "(hook): a webhook needs url or url_file, and not both"),
        ({**HOOK, "url_file": "/u"}, "(hook): a webhook needs url or url_file, and not both"),
        ({**HOOK, "url": "ftp://h/"}, "(hook): url: write http://host:port/path or https://"),
        ({**HOOK, "url": "https://u:secret@h/"}, "(hook): url: no user and password in it"),
        ({**HOOK, "url": "https://h/#x"}, "(hook): url: a URL has no # part"),
        ({**HOOK, "url": "https://h:0/"}, "(hook): url: write http://host:port/path"),
        ({**HOOK, "url": "https://h\n/"}, "(hook): url: a line break or another control"),
        ({**HOOK, "method": "GET"}, "(hook): method: 'GET' is not one of its values; known are"),
        ({**HOOK, "on": ["no-mask"]}, "(hook): on: 'no-mask' is neither an alert nor"),
        ({**HOOK, "on": ["notify-failing"]}, "(hook): on: 'notify-failing' is neither"),
        ({**HOOK, "on": []}, "(hook): on: must have at least 1"),
        ({**HOOK, "on": ["ended"]}, '(hook): on: "ended" alone sends nothing'),
        ({**HOOK, "quiet": ["22-6"]}, "(hook): quiet: '22-6' is no span of hours"),
        ({**HOOK, "pause_s": "60"}, "(hook): pause_s: must be a number"),
        ({**HOOK, "snapshot": True}, '(hook): snapshot = true needs [snapshots] pictures = "pix'),
        ({**HOOK, "template": "{text}"}, "(hook): template: not a JSON document"),
        ({**HOOK, "template": '["{txt}"]'}, "(hook): template: {txt} is not known; did you mean"),
        ({**HOOK, "template": '["{snapshot}"]'}, "template: {snapshot} needs snapshot = true"),
        ({**HOOK, "headers": {"Host": "x"}}, "(hook): headers: Host is set by the program"),
        ({**HOOK, "headers": {"A B": "x"}}, "(hook): headers: 'A B' is no name of a header"),
        ({**HOOK, "headers": {"Cookie": "x"}}, "(hook): headers: Cookie is a secret"),
        ({**HOOK, "headers": {"X": "a\r\nY: b"}}, "(hook): headers: a line break"),
        ({**HOOK, "headers": {"X": "é"}}, "(hook): headers: X: printable ASCII only"),
        ({**HOOK, "name": "a b"}, "(a b): name: only letters, digits, _, - and . are"),
        ({**HOOK, "name": "../etc"}, "(../etc): name: only letters, digits, _, - and ."),
        ({**HOOK, "url": "http://h/", "ca_file": "/c"}, "(hook): ca_file needs an https:// url"),
        ({**PHONE, "topic": "a/b"}, "(phone): topic: only letters, digits, _ and - are"),
        ({**PHONE, "priority": 6}, "(phone): priority: must be at most 5"),
        ({**CHAT, "chat_id": "x y"}, "(chat): chat_id: write a number"),
        ({"name": "c", "kind": "telegram", "chat_id": "1"}, "(c): token_file is missing"),
        ({**MAIL, "to": "c@d.example"}, "(mail): to: must be a list in [ ]"),
        ({**MAIL, "to": ["nobody"]}, "(mail): to: 'nobody' is no address"),
        ({**MAIL, "from": "a@b\nBcc: c@d"}, "(mail): from: a line break"),
        ({**MAIL, "user": "u"}, "(mail): user and password_file come together"),
        (
            {**MAIL, "user": "u", "password_file": "/p", "tls": "none"},
            '(mail): tls = "none" would send the password in clear',
        ),
    ],
)
def test_what_is_wrong_is_said_with_number_and_name(table: dict[str, Any], said: str) -> None:
    text = refusal({**HOOK, "name": "first"}, table)
    assert text.startswith("[[notify]] number 2")
    assert said in text
    assert "secret@" not in text
    assert text.isprintable()


def test_names_are_unique_and_targets_few() -> None:
    assert refusal(HOOK, {**PHONE, "name": "HOOK"}) == (
        "[[notify]] number 2 (HOOK): another one has this name"
    )
    many = [{**HOOK, "name": f"n{number}"} for number in range(MOST + 1)]
    assert "at most 8" in refusal(*many)


def test_pictures_go_along_only_where_faces_are_covered() -> None:
    faces = {"pictures": "faces", "may_publish_faces": True}
    said = '[[notify]] number 1 (hook): snapshot = true needs [snapshots] pictures = "pixelated"'
    assert refusal({**HOOK, "snapshot": True}, snapshots=faces) == said


@pytest.mark.parametrize("value", [{"name": "a"}, "x", [1]])
def test_one_section_in_place_of_a_list_is_said_to_be_one(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"notify is a list of sections: write \[\[notify\]\]"):
        parse_settings({"mqtt": {"host": "h"}, "notify": value}, "f")


def test_what_a_newer_program_has_beyond_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    tables = {
        "mqtt": {"host": "h"},
        "notify": [{**HOOK, "novel": 1}, {"name": "fax", "kind": "fax", "number": "1"}],
    }
    settings = parse_settings(tables, "f", schema=99)
    assert [each.name for each in settings.notify] == ["hook"]
    assert "[[notify]] novel, [[notify]] number 2 (fax) of kind fax" in caplog.text
