import html
import itertools

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.subtitles import LINE_CHARACTERS, Cue, to_srt, to_vtt

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


@st.composite
def scripts(draw: st.DrawFn) -> list[Cue]:
    clock, cues = 0.0, []
    for text in draw(st.lists(texts, max_size=8)):
        start = clock + draw(st.floats(0, 5000))
        clock = start + draw(st.floats(0.5, 8))
        cues.append(Cue(start, clock, text))
    return cues


def blocks(subtitles: str) -> list[list[str]]:
    return [block.split("\n") for block in subtitles.strip().split("\n\n") if block]


def words(text: str) -> list[str]:
    return "".join(c if c.isprintable() else " " for c in text).split()


@given(scripts())
def test_vtt_says_all_words_and_no_markup(cues: list[Cue]) -> None:
    head, *body = blocks(to_vtt(cues))
    assert head == ["WEBVTT"]
    shown = " ".join(line for _, *lines in body for line in lines)
    assert "<" not in shown
    assert "-->" not in shown
    assert "".join(html.unescape(shown).split()) == "".join("".join(words(cue.text)) for cue in cues)


@given(scripts())
def test_srt_numbers_its_cues_and_keeps_their_order(cues: list[Cue]) -> None:
    body = blocks(to_srt(cues))
    assert [number for number, *_ in body] == [str(n) for n in range(1, len(body) + 1)]
    assert all(times.count("-->") == 1 for _, times, *_ in body)
    assert all("-->" not in line for _, _, *lines in body for line in lines)
    assert all(len(line) <= LINE_CHARACTERS + 1 and len(lines) <= 2 for _, _, *lines in body for line in lines)


def test_an_independent_reader_finds_the_same_times_and_text() -> None:
    cues = [Cue(1.26, 3.95, "No preguntes."), Cue(3661.5, 3663.0, "Es < 5 & > 3 {sí}")]
    for text, kind in ((to_srt(cues), "srt"), (to_vtt(cues), "vtt")):
        read = pysubs2.SSAFile.from_string(text, format_=kind)
        assert [(event.start, event.end) for event in read] == [(1260, 3950), (3_661_500, 3_663_000)]
        assert read[0].plaintext == "No preguntes."


def test_a_long_line_is_shown_in_parts_that_share_its_time() -> None:
    text = " ".join(["palabra"] * 30)
    parts = pysubs2.SSAFile.from_string(to_srt([Cue(10, 20, text)]), format_="srt")
    assert len(parts) > 1
    assert parts[0].start == 10_000
    assert parts[-1].end == 20_000
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    assert " ".join(part.plaintext for part in parts).split() == text.split()


@pytest.mark.parametrize("cues", [[], [Cue(0, 1, "")], [Cue(0, 1, "\n\x00 ")]])
def test_nothing_to_say_gives_an_empty_but_valid_file(cues: list[Cue]) -> None:
    assert to_vtt(cues).startswith("WEBVTT\n")
    assert to_srt(cues) == ""
