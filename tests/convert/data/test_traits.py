from __future__ import annotations

from convert.data import traits
from convert.data.traits import traits_of


def test_the_file_that_is_kept_can_be_read() -> None:
    known = [face for faces in traits._all().faces.values() for face in faces]
    assert len(known) == 309
    for face in known:
        assert face.left < face.right
        assert face.top < face.bottom
        assert sum(trait.endswith(" skin") for trait in face.traits) == 1
    assert list(traits_of("0" * 64, [])) == []
