from __future__ import annotations

import pytest

from edge.config import LANGUAGES, NOTICES, SignSettings
from edge.page.sentences import built_in, notice_of, sentences_of
from edge.page.wire import SignLine
from edge.records import Advice


def test_each_language_has_each_sentence_and_no_other() -> None:
    own = built_in()
    assert tuple(sorted(own)) == tuple(sorted(LANGUAGES))
    assert {language: tuple(own[language]) for language in own} == dict.fromkeys(own, NOTICES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_short_tidy_and_different(language: str) -> None:
    sentences = list(built_in()[language].values())
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence == sentence.strip()
        assert 2 <= len(sentence) <= 42
        assert not sentence.endswith((".", "!", "。"))


def test_the_owners_sentences_come_before_the_signs_own() -> None:
    settings = SignSettings(languages=("de", "ar"), sentences={"de": {"go": "Nur hereinspaziert"}})
    assert sentences_of(settings)["go"] == (
        SignLine("de", "ltr", "Nur hereinspaziert"),
        SignLine("ar", "rtl", "تفضلوا بالدخول"),
    )
    assert sentences_of(settings)["closed"][0].text == "Außer Betrieb"


def test_a_language_that_the_sign_does_not_know_needs_all_its_sentences() -> None:
    own: dict[str, str] = {notice: f"{notice} in Romansh" for notice in NOTICES}
    settings = SignSettings(languages=("rm",), sentences={"rm": own})
    assert sentences_of(settings)["wait"] == (SignLine("rm", "ltr", "wait in Romansh"),)
    del own["wait"]
    with pytest.raises(ValueError, match=r"'rm': the sign knows .* has to have wait$"):
        SignSettings(languages=("rm",), sentences={"rm": own})


def test_every_advice_is_a_notice() -> None:
    assert {notice_of(each, is_station=True) for each in Advice} == set(NOTICES) - {
        "please",
        "thanks",
    }
    assert {each: notice_of(each, is_station=False) for each in Advice} == {
        Advice.EMPTY: "please",
        Advice.WAIT: "please",
        Advice.GO: "thanks",
        Advice.NO_MASK: "no_mask",
        Advice.WORN_WRONGLY: "worn_wrongly",
        Advice.CLOSER: "please",
        Advice.LIGHT: "please",
        Advice.CLOSED: "please",
    }
