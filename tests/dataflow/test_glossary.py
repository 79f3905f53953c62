from pathlib import Path

import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.glossary import read_glossary


def test_pairs_with_comments_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "terms.csv"
    file.write_text('\ufeff# our words\nRay Data,Ray Data\n\n"lease, the","arriendo, el"\n', encoding="utf-8")
    assert read_glossary(file) == (("Ray Data", "Ray Data"), ("lease, the", "arriendo, el"))


@pytest.mark.parametrize("line", ["one", "a,b,c", "a,"])
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "terms.csv"
    file.write_text(f"good,bueno\n{line}\n", encoding="utf-8")
    with pytest.raises(DubflowError, match="line 2") as caught:
        read_glossary(file)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DubflowError, match=r"missing\.csv"):
        read_glossary(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DubflowError, match="UTF-8"):
        read_glossary(tmp_path / "binary.csv")
