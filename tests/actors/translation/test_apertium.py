import os
import pickle
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.translation import Line, TranslatedLine, TranslationRequest
from actors.translation import apertium
from actors.translation.apertium import Apertium


@pytest.fixture(scope="module")
def engine() -> Iterator[Apertium]:
    engine = pickle.loads(pickle.dumps(Apertium(EngineOptions())))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def request(
    *texts: str, target: str = "es", source: str = "en", glossary: tuple[tuple[str, str], ...] = ()
) -> TranslationRequest:
    lines = tuple(Line(f"u{n}", "S1", text, 2.0) for n, text in enumerate(texts))
    return TranslationRequest(source, target, lines, glossary=glossary)


def translate(engine: Apertium, *texts: str, **kwargs: Any) -> tuple[TranslatedLine, ...]:
    (translation,) = engine.run([request(*texts, **kwargs)])
    return translation.lines


@pytest.mark.parametrize(
    ("target", "expected"), [("es", "La casa grande."), ("ca", "La casa gran."), ("gl", "A casa grande.")]
)
def test_english_is_translated(engine: Apertium, target: str, expected: str) -> None:
    (line,) = translate(engine, "The big house.", target=target)
    assert (line.id, line.text, line.flags) == ("u0", expected, ())


def test_regional_variants_are_served_by_their_language(engine: Apertium) -> None:
    (line,) = translate(engine, "Do you know where I live?", source="en-GB", target="es-419")
    assert line.text == "¿Sabes donde vivo?"


def test_unknown_words_are_kept_without_marks_and_flagged(engine: Apertium) -> None:
    (line,) = translate(engine, "The zorpling is in the house.")
    assert "zorpling" in line.text
    assert "*" not in line.text
    assert line.flags == ("unknown_words",)


def test_glossary_terms_are_kept(engine: Apertium) -> None:
    (line,) = translate(engine, "I have a Zorpling here.", glossary=(("zorpling", "cachivache"),))
    assert "cachivache" in line.text
    assert line.flags == ()


DIFFICULT = [
    "",
    "   ",
    ".",
    "?!",
    "^x$ [y] {z} <a> \\b/ @c *d #e ~f +g ^",
    "[",
    "]]>",
    "\\",
    "$(touch x); `id` | cat & echo",
    "中文和 😀 العربية",
    "one line\nanother line\r\n\n\tand one more",
    "\0 \x07 \u202e \u200b \ue000 \ud7ff",
    "I saw the car. " * 340,
    "x" * 5000,
    "“Don\u2019t”, he said… 1,234.56 — at 10:30, www.example.com/a?b=c",
]


def test_difficult_text_neither_hangs_nor_shifts_its_neighbours(engine: Apertium) -> None:
    texts = [text for difficult in DIFFICULT for text in (difficult, "The big house.")]
    lines = translate(engine, *texts)
    assert [line.id for line in lines] == [f"u{n}" for n in range(len(texts))]
    assert {line.text for line in lines[1::2]} == {"La casa grande."}
    assert all(apertium.FALLBACK not in line.flags for line in lines)
    assert [line.text for line in lines[:8:2]] == ["", "", ".", "¡?!"]
    assert lines[18].text.startswith("中文")
    assert len(lines[24].text) > 3000


def test_several_lines_become_one(engine: Apertium) -> None:
    (line,) = translate(engine, "The house\nis big.\n")
    assert line.text == "La casa es grande."


def test_an_unsupported_pair_fails_alone_and_names_what_exists_and_what_to_install(engine: Apertium) -> None:
    good, bad, also_good = engine.run([request("Hello."), request("Hello.", target="fr"), request("Hello.")])
    assert good.lines == also_good.lines
    assert isinstance(bad, EngineError)
    assert bad.code == "unsupported_language"
    assert "en to es" in str(bad)


def test_a_missing_debian_pair_names_its_package(tmp_path: Path) -> None:
    for name in ("eng-cat", "eng-glg"):
        (tmp_path / f"{name}.mode").write_text("cat")
    (error,) = Apertium(EngineOptions(model=str(tmp_path))).run([request("Hello.")])
    assert "apt-get install --yes apertium-eng-spa" in str(error)


def test_a_machine_without_apertium_is_told_the_command(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="apt-get install --yes apertium ") as caught:
        Apertium(EngineOptions(model=str(tmp_path))).load()
    assert caught.value.code == "model_missing"


def test_pairs_are_language_tags(engine: Apertium) -> None:
    assert {("en", "es"), ("en", "ca"), ("en", "gl")} <= engine.pairs()


def test_a_killed_chain_is_started_again_without_losing_a_line(engine: Apertium) -> None:
    (before,) = translate(engine, "The big house.")
    (pipeline,) = [chain for pair, chain in engine._pipelines.items() if pair == ("en", "es")]
    os.kill(pipeline.pids[3], signal.SIGKILL)
    (after,) = translate(engine, "The big house.")
    assert after == before


def test_a_chain_started_by_a_finished_thread_is_replaced(engine: Apertium) -> None:
    engine.close()
    thread = threading.Thread(target=translate, args=(engine, "Hello."))
    thread.start()
    thread.join()
    (line,) = translate(engine, "The big house.")
    assert line.text == "La casa grande."


def test_a_chain_that_hangs_costs_one_line_its_translation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apertium, "_TIMEOUT_SECONDS", 0.2)
    (tmp_path / "eng-spa.mode").write_text("sleep 60")
    engine = Apertium(EngineOptions(model=str(tmp_path)))
    monkeypatch.setattr("actors.translation.apertium_modes._FLUSH_ON_NUL", "60")
    (line,) = translate(engine, "Hello.")
    assert (line.text, line.flags) == ("Hello.", (apertium.FALLBACK,))
    engine.close()
