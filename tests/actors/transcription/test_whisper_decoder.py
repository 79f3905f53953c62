import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from actors.transcription.guards import GuardRules
from actors.transcription.whisper_decoder import MOST_TOKENS, Heard, WhisperDecoder
from tests.fixtures.checkpoints.whisper import FIRST_SPECIAL, sentences, whisper_checkpoint

pytestmark = pytest.mark.models

EMBEDDINGS = b"decoder/embeddings/weight\0"


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """The checkpoint, to which nothing is as unlikely as the end of a text."""
    folder = shutil.copytree(whisper_checkpoint(), tmp_path / "endless", ignore=shutil.ignore_patterns("raw"))
    weights = bytearray((folder / "model.bin").read_bytes())
    at = weights.index(EMBEDDINGS) + len(EMBEDDINGS)
    rank, rows, width, _kind, size = struct.unpack_from("<BIIBI", weights, at)
    assert (rank, size) == (2, rows * width * 4)
    row = at + 14 + FIRST_SPECIAL * width * 4
    unlikely = -np.frombuffer(weights, np.float32, width, at + 14 + (FIRST_SPECIAL + 1) * width * 4)
    weights[row : row + width * 4] = (1000 * unlikely).tobytes()
    (folder / "model.bin").write_bytes(weights)
    return folder


def test_a_text_may_be_as_long_as_half_a_minute_of_quick_speech(endless: Path) -> None:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(endless), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True)
    decoder = WhisperDecoder(model, batch=1, beam=1, rules=GuardRules())
    encoded, _ = decoder.encode([Heard(sentences()[0].samples)])
    for hotwords in ("", "river sea hospital"):
        (text,) = decoder._generate(encoded, [decoder._prompt(hotwords, "en")], beam_size=1)
        assert len(text.tokens) == pytest.approx(MOST_TOKENS, abs=1)
