from __future__ import annotations

from pathlib import Path

import pytest

from convert.data.voc import INCORRECT, LabelledFace, parse_annotation, read_boxed
from edge.errors import ConfigError, PictureError
from edge.records import Box
from tests.convert.pictures import annotate, draw_street, encode, write_boxed

MASKED, BARE, WORN_WRONGLY = 0, 1, 2


def test_faces_are_read_with_their_class() -> None:
    faces = [("with_mask", 10, 20, 30), ("without_mask", 50, 60, 12), (INCORRECT, 90, 10, 20)]
    found, odd = parse_annotation(annotate(faces).encode(), 320, 240)
    assert found == (
        LabelledFace(Box(10, 20, 40, 50), MASKED),
        LabelledFace(Box(50, 60, 62, 72), BARE),
        LabelledFace(Box(90, 10, 110, 30), WORN_WRONGLY),
    )
    assert odd == []


def test_a_box_is_clipped_to_the_picture() -> None:
    found, _ = parse_annotation(annotate([("with_mask", 300, -5, 21)]).encode(), 320, 240)
    assert found == (LabelledFace(Box(300, 0, 320, 16), MASKED),)


def test_an_odd_object_is_named_and_the_rest_used() -> None:
    faces = [("helmet", 1, 1, 9), ("with_mask", 400, 1, 9), ("with_mask", 5, 5, 0)]
    document = annotate([*faces, ("without_mask", 1, 2, 30)])
    document = document.replace("<object>", "<object><name>with_mask</name></object><object>", 1)
    found, odd = parse_annotation(document.encode(), 320, 240)
    assert found == (LabelledFace(Box(1, 2, 31, 32), BARE),)
    assert odd == [
        "object 1: a side of the box is missing or not a number",
        "object 2: unknown class 'helmet'",
        "object 3: the box has no area in the picture",
        "object 4: the box has no area in the picture",
    ]


@pytest.mark.parametrize("side", ["nan", "inf", "", "ten", "1e999"])
def test_a_side_that_is_no_number_is_no_box(side: str) -> None:
    document = annotate([("with_mask", 10, 20, 30)]).replace("<xmax>40<", f"<xmax>{side}<")
    found, odd = parse_annotation(document.encode(), 320, 240)
    assert found == ()
    assert len(odd) == 1


ENTITIES = """<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">
<!ENTITY z SYSTEM "file:///etc/hostname">]><annotation>&y;&z;</annotation>"""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"<annotation>", "damaged"),
        (ENTITIES.encode(), "document type"),
        (ENTITIES.encode("utf-16"), "not UTF-8"),
        (b"<a>" + b" " * 2**20 + b"</a>", "too large"),
        (annotate([], (640, 480)).encode(), "annotated as 640.0 x 480.0, but is 320 x 240"),
    ],
)
def test_a_document_that_cannot_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        parse_annotation(content, 320, 240)


def test_an_encoding_that_the_document_claims_is_not_believed() -> None:
    document = '<?xml version="1.0" encoding="utf-16"?>' + annotate([("with_mask", 10, 20, 30)])
    assert len(parse_annotation(document.encode(), 320, 240)[0]) == 1


def test_a_set_is_read_and_what_is_odd_named(tmp_path: Path) -> None:
    write_boxed(tmp_path, 3)
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    (images / "lonely.png").write_bytes(encode(draw_street([], 8)))
    (annotations / "lost.xml").write_text(annotate([]))
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (annotations / "broken.xml").write_text(annotate([]))
    (images / "twin.png").write_bytes((images / "1.png").read_bytes())
    (annotations / "twin.xml").write_text(annotate([]))
    (images / "empty.png").write_bytes(encode(draw_street([], 9)))
    (annotations / "empty.xml").write_text(annotate([]))

    found = read_boxed(tmp_path)

    assert [item.picture.path for item in found.pictures] == [
        "images/0.png",
        "images/1.png",
        "images/2.png",
        "images/empty.png",
    ]
    assert [len(item.faces) for item in found.pictures] == [5, 5, 5, 0]
    assert [item.picture.label for item in found.pictures] == [BARE, BARE, BARE, MASKED]
    assert found.pictures[0].read().shape == (240, 320, 3)
    reasons = {item.path: item.reason for item in found.skipped}
    assert reasons.pop("images/broken.jpg") == "not a picture of a known format"
    assert reasons == {
        "annotations/lost.xml": "no picture",
        "images/lonely.png": "no annotation",
        "images/twin.png": "same content as images/1.png",
    }


def test_a_folder_that_is_no_boxed_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"images: no such folder"):
        read_boxed(tmp_path)
    write_boxed(tmp_path, 0)
    with pytest.raises(ConfigError, match="no usable picture"):
        read_boxed(tmp_path)
