import re
from pathlib import Path

from cluster.errors import RETRYABLE, ErrorCode

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "errors.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"^### (\w+)\n", DOCUMENT.split("\n## ")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_code_has_a_paragraph_and_no_other_has() -> None:
    assert set(sections()) == {code.value for code in ErrorCode}


def test_retryable_codes_are_marked() -> None:
    marked = {code for code, text in sections().items() if text.lstrip().startswith("*Retryable.*")}
    assert marked == {code.value for code in RETRYABLE}
