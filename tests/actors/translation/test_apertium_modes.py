import shutil
from pathlib import Path

from actors.translation.apertium_modes import DEBIAN_MODES, fingerprint, installed_modes


def write_mode(folder: Path, name: str, pipeline: str) -> None:
    (folder / f"{name}.mode").write_text(pipeline)


def test_a_pipeline_is_read_without_a_shell(tmp_path: Path) -> None:
    data = tmp_path / "with space;touch x.bin"
    data.write_bytes(b"123")
    write_mode(tmp_path, "eng-spa", f"cat '{data}' | tr -g $2 a | cat $1 '{data}'")
    (mode,) = installed_modes(tmp_path).values()
    assert mode.stages == (("cat", "-z", str(data)), ("tr", "-z", "-g", "a"), ("cat", "-z", "-g", str(data)))


def test_names_become_language_tags(tmp_path: Path) -> None:
    for name in ("eng-spa", "en-gl", "eng-cat_valencia", "spa-eng_US", "eng-cat_iec2017", "strange"):
        write_mode(tmp_path, name, "cat")
    assert set(installed_modes(tmp_path)) == {("en", "es"), ("en", "gl"), ("en", "ca-valencia"), ("es", "en-US")}


def test_modes_with_missing_programs_or_data_are_not_offered(tmp_path: Path) -> None:
    write_mode(tmp_path, "eng-spa", "a-program-nobody-has")
    write_mode(tmp_path, "eng-cat", f"cat '{tmp_path}/missing.bin'")
    assert installed_modes(tmp_path) == {}


def test_the_fingerprint_changes_with_the_data(tmp_path: Path) -> None:
    data = tmp_path / "a.bin"
    data.write_bytes(b"1")
    write_mode(tmp_path, "eng-spa", f"cat '{data}'")
    before = fingerprint(installed_modes(tmp_path))
    data.write_bytes(b"12")
    assert fingerprint(installed_modes(tmp_path)) != before


def test_every_program_of_the_system_pairs_is_there() -> None:
    modes = installed_modes(DEBIAN_MODES)
    assert ("en", "es") in modes
    assert all(shutil.which(stage[0]) for mode in modes.values() for stage in mode.stages)
