"""The button that sends a test of notifications, in a real browser."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.edge.notify.receiver import Receiver, status
from tests.page.conftest import Start
from tests.screenshots import assert_good_for_everybody, shoot


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}#device")
    expect(page.locator("#device")).to_have_text("door-1")
    return page


def test_without_targets_there_is_no_button(start: Start, context: BrowserContext) -> None:
    page = opened(context, start().url)
    expect(page.locator("#program")).to_contain_text("TensorMask")
    expect(page.locator("#notify-section")).to_be_hidden()


def test_a_test_says_what_came_of_it(start: Start, context: BrowserContext) -> None:
    with Receiver() as receiver:
        section = f'\n[[notify]]\nname = "desk"\nkind = "webhook"\nurl = "{receiver.url}"'
        page = opened(context, start(section).url)
        expect(page.locator("#notifiers li")).to_contain_text("desk (webhook)")
        button, said = page.locator("#notify-test"), page.locator("#notify-said")
        button.click()
        expect(said).to_have_text("The test has arrived.")
        assert "test" in {each["what"] for each in receiver.documents}
        expect(button).to_be_enabled()
        button.click()
        expect(said).to_contain_text("No test was sent: a test was sent just now; wait 5 s.")
        receiver.usual = status(401)
        expect(button).to_be_enabled()
        page.wait_for_timeout(5000)  # as it said
        button.click()
        expect(said).to_have_text("The test did not arrive at desk.")
        expect(page.locator("#notifiers li")).to_contain_text("it refuses: HTTP 401")
        shoot(page, "notifications")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert_good_for_everybody(page, width)
