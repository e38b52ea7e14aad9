"""People who pass are labeled in a real browser, at the door of a real service."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Response, expect

from edge.eyes import read_qualification
from edge.history.store import FILE
from edge.people import PEOPLE
from edge.qualify.known import qualifications
from edge.records import MaskState
from tests.clips import QUICK, come_and_gone
from tests.page.conftest import Start
from tests.screenshots import assert_good_for_everybody, shoot

MASKED = PEOPLE[1]


def begun(page: Page) -> None:
    page.get_by_label("Who labels").fill("Ada")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#label-progress")).to_contain_text("Recording, ")
    # Who was leaving when the recording began may have no picture.
    expect(page.locator("#label-who")).to_contain_text("Person 1, who left at ")
    page.locator("#label-choices").get_by_role("button", name="Mask", exact=True).click()
    expect(page.locator("#label-progress")).to_contain_text("1 labeled")


def test_a_door_is_labeled_with_the_keys_and_the_result_is_kept(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    clip = come_and_gone(tmp_path / "people.avi", (MASKED,), stay_s=2.0)
    daemon = start(page=QUICK, source=clip)
    page = context.new_page()
    heard: list[str] = []

    def hear(answer: Response) -> None:
        if answer.url.endswith("/labels") and answer.request.method == "GET":
            heard.append(answer.text())

    page.on("response", hear)
    page.goto(f"{daemon.url}#setup")
    page.get_by_role("link", name="Label people").click()
    expect(page.get_by_label("I look at the pictures")).to_be_disabled()
    expect(page.locator("#label-locked")).to_be_visible()
    begun(page)
    expect(page.locator("#label-who")).to_contain_text("Person 2, who left at ")
    image = page.get_by_alt_text("Person 2, head covered, picture 1 of ")
    expect(image).to_be_visible()
    assert image.evaluate("each => each.naturalHeight") > 100
    expect(page.locator("#label-choices button").first).to_be_enabled()
    page.reload()  # the focus is nowhere then
    expect(image).to_be_visible()
    expect(page.locator("#label-choices button").first).to_be_enabled()
    page.keyboard.press("2")  # a slip
    expect(page.locator("#label-progress")).to_contain_text("2 labeled")
    page.locator("#label-title").click()  # beside all that is labeled with
    page.keyboard.press("U")
    expect(image).to_be_visible()
    mask = page.locator("#label-choices").get_by_role("button", name="Mask", exact=True)
    expect(mask).to_be_enabled()
    page.keyboard.press("1")
    expect(page.locator("#label-progress")).to_contain_text("2 labeled")
    page.get_by_role("button", name="One more passed and is not listed: Mask").click()
    expect(page.locator("#missed-masked")).to_have_text("1")
    assert not any('"bare"' in each for each in heard), "what was judged is not said"

    stop = page.get_by_role("button", name="End the recording")
    stop.click()
    expect(page.locator("#label-progress")).to_contain_text("The recording is over")
    expect(stop).to_be_disabled()  # and stays, so a second click meets nothing else
    expect(page.locator("#label-who")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 800})
    assert_good_for_everybody(page, 390)
    shoot(page, "label-390")
    finish = page.get_by_role("button", name="Show the result")
    page.get_by_role("button", name="Label the last one again").click()
    expect(page.locator("#label-who")).to_contain_text("Person 2, ")
    finish.click()
    question = page.get_by_role(
        "dialog", name=re.compile(r"^\d+ pe\w+ waits? to be labeled\. Show")
    )
    expect(question).to_be_visible()
    shoot(page, "label-finish-390")
    page.keyboard.press("1")  # which nobody can mean here
    question.get_by_role("button", name="Go on labeling").click()
    expect(page.locator("#label-who")).to_contain_text("Person 2, ")
    expect(page.locator("#label-progress")).to_contain_text("The recording is over")
    recorded = int(
        (page.locator("#label-progress").text_content() or "").split("in ")[1].split()[2]
    )
    for number in range(2, recorded + 1):
        expect(page.locator("#label-who")).to_contain_text(f"Person {number}, ")
        mask.click()
    expect(page.locator("#label-who")).to_have_text("Everybody is labeled.")
    finish.click()
    expect(page.locator("#label-verdict")).to_contain_text("Not qualified: ")
    expect(page.locator("#label-corrects")).to_contain_text("20 people must be judged")
    with page.expect_download() as download:
        page.get_by_role("link", name="Keep the sheet").click()
    assert "page Ada" in download.value.path().read_text()

    (text,) = qualifications(daemon.state / FILE)
    found = read_qualification(text)
    assert found is not None
    (masked,) = found.people
    assert masked.state is MaskState.MASKED
    assert masked.shown == recorded + 1
    assert masked.masked >= recorded - 1, "the first may have come before the service was ready"


def test_a_face_is_shown_when_it_is_wanted_and_all_can_be_discarded(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    clip = come_and_gone(tmp_path / "people.avi", (MASKED,), stay_s=2.0)
    daemon = start(page=f'heads = "faces"\nmay_show_faces = true\n{QUICK}', source=clip)
    page = context.new_page()
    page.goto(f"{daemon.url}#label")
    page.get_by_label("I look at the pictures").check()
    begun(page)
    covered = page.get_by_alt_text("Person 2, head covered, picture 1 of ")
    expect(covered).to_be_visible()
    expect(page.get_by_role("group", name="Passed, and is not listed")).to_be_hidden()
    before = covered.evaluate("each => each.src")
    page.get_by_role("button", name="Show the face").click()
    face = page.get_by_alt_text("Person 2, face shown, picture 1 of ")
    expect(face).to_be_visible()
    assert face.evaluate("each => each.src") != before
    shoot(page, "label-face")
    page.get_by_role("button", name="Discard all").click()
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_label("Who labels")).to_be_visible()
    assert "1 labeled, 1 with their face shown" in daemon.log.read_text()

    # A recording does not outlive the service.
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#label-progress")).to_contain_text("Recording, ")
    said = page.locator("#label-said")
    away = "The device does not answer: the service is not running."
    page.route("**/labels", lambda r: r.fulfill(status=503, json={"error": away[28:-1]}))
    expect(said).to_have_text(away)
    page.unroute("**/labels")
    expect(said).to_be_empty()
    daemon.stop()
    expect(said).to_have_text(away)
    daemon.start()
    expect(said).to_have_text("The service was restarted: the recording is lost.")
    expect(page.get_by_label("Who labels")).to_be_visible()
