import re
from pathlib import Path

import pytest

from dataflow.assemble import flags_of
from dataflow.records import Utterance
from dataflow.wording import EDITED
from serve_apps.scripts import views

TABLE = (Path(__file__).parent.parent.parent / "docs" / "errors.md").read_text(encoding="utf-8").split("## Flags")[1]
DOCUMENTED = set(re.findall(r"^\| `(\w+)` \|", TABLE, flags=re.MULTILINE))


@pytest.mark.parametrize("spoken", [None, (), (EDITED,), ("unknown_words",), ("translation_fallback",)])
def test_every_flag_of_a_line_is_documented(spoken: tuple[str, ...] | None) -> None:
    unsure = Utterance("u0001", "S1", 0.0, 1.0, "words", 0.1)
    flags = set(flags_of(unsure, spoken, edited=True))
    assert flags
    assert flags <= DOCUMENTED


def test_doors_know_the_flags_by_the_same_names() -> None:
    assert {views.EDITED, views.KEPT, "overflow"} <= DOCUMENTED
    assert views.EDITED == EDITED
