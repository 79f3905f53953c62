import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.engine import EngineError, EngineOptions
from actors.ctranslate2_share import ModelShape, Room, keep_to_share
from actors.cuda_pool import CONTEXT_BYTES, CudaDriver
from actors.transcription.whisper_decoder import MOST_TOKENS, WINDOW_FRAMES
from tests.actors.test_cuda_pool import Driver
from tests.fixtures.checkpoints.marian import marian_checkpoint
from tests.fixtures.checkpoints.whisper import whisper_checkpoint

TURBO = ModelShape(
    weights=809_000_000,
    width=1280,
    heads=20,
    inner=5120,
    attended=1280,
    encoder_layers=32,
    decoder_layers=4,
    vocabulary=51_866,
)
MADLAD = ModelShape(
    weights=2_900_000_000,
    width=1024,
    heads=16,
    inner=8192,
    attended=2048,
    encoder_layers=32,
    decoder_layers=32,
    vocabulary=256_000,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT2_CUDA_ALLOCATOR", "cub_caching")


def gpu(share: float) -> EngineOptions:
    return EngineOptions(device="cuda", gpu_share=share)


def test_the_share_is_a_limit_that_cuda_holds_and_leaves_room_for_its_own() -> None:
    driver = Driver(memory=100_000_000_000)
    room = keep_to_share(gpu(0.1), TURBO, "float16", CudaDriver(driver))
    assert room == Room(10_000_000_000 - CONTEXT_BYTES, 1_618_000_000, capped=True)
    (pool,) = driver.pools.values()
    assert int.from_bytes(pool[24:32], "little") == room.limit
    assert os.environ["CT2_CUDA_ALLOCATOR"] == "cuda_malloc_async"


def test_a_driver_without_limits_is_told_apart_and_nothing_is_set() -> None:
    driver = Driver(version=12000)
    assert not keep_to_share(gpu(0.5), TURBO, "float16", CudaDriver(driver)).capped
    assert not driver.pools
    assert os.environ["CT2_CUDA_ALLOCATOR"] == "cub_caching"


def test_weights_that_exceed_the_share_are_refused_with_the_remedy() -> None:
    with pytest.raises(EngineError, match=r"5\.8 GB.*int8_float16") as refused:
        keep_to_share(gpu(0.2), MADLAD, "float16", CudaDriver(Driver(memory=24_000_000_000)))
    assert refused.value.code == "model_load_failed"
    assert keep_to_share(gpu(0.2), MADLAD, "int8_float16", CudaDriver(Driver(memory=24_000_000_000))).weights == 2.9e9


def test_sixteen_windows_of_the_usual_model_fit_into_what_is_planned_for_it() -> None:
    room = keep_to_share(gpu(6.2 / 141), TURBO, "float16", CudaDriver(Driver()))
    window = TURBO.window_bytes(WINDOW_FRAMES, MOST_TOKENS, beam=5)
    assert room.holds(window, wanted=16) == 16
    assert room.weights + 16 * window <= room.limit
    small = keep_to_share(gpu(0.25), TURBO, "float16", CudaDriver(Driver(memory=16_000_000_000)))
    assert 1 <= small.holds(window, wanted=16) < 16


@given(limit=st.integers(1, 10**11), weights=st.integers(0, 10**11), piece=st.integers(1, 10**10))
def test_a_batch_fits_or_is_a_single_piece(limit: int, weights: int, piece: int) -> None:
    count = Room(limit, weights, capped=True).holds(piece, wanted=64)
    assert 1 <= count <= 64
    assert count == 1 or weights + count * piece <= limit


@given(beam=st.integers(1, 8))
def test_more_hypotheses_take_more(beam: int) -> None:
    assert MADLAD.token_bytes(beam) < MADLAD.token_bytes(beam + 1)
    assert TURBO.window_bytes(1500, 224, beam) <= TURBO.window_bytes(1500, 224, beam + 1)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\x06\x00\x00\x00", b"not a model at all"):
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(ValueError, match="CTranslate2"):
            ModelShape.read(tmp_path)


@pytest.mark.models
@pytest.mark.timeout(900)
def test_the_shape_of_a_translation_model_is_read_from_its_weights() -> None:
    shape = ModelShape.read(marian_checkpoint())
    assert (shape.width, shape.heads, shape.inner, shape.attended) == (128, 4, 256, 128)
    assert (shape.encoder_layers, shape.decoder_layers) == (2, 2)
    vocabulary = json.loads((marian_checkpoint() / "shared_vocabulary.json").read_text())
    assert shape.vocabulary == len(vocabulary)
    size = (marian_checkpoint() / "model.bin").stat().st_size
    assert shape.weight_bytes("float32") == pytest.approx(size, rel=0.02)


@pytest.mark.models
@pytest.mark.timeout(900)
def test_the_shape_of_a_transcription_model_is_read_from_its_weights() -> None:
    shape = ModelShape.read(whisper_checkpoint())
    assert min(shape.encoder_layers, shape.decoder_layers, shape.heads) >= 1
    size = (whisper_checkpoint() / "model.bin").stat().st_size
    assert shape.weight_bytes("float32") == pytest.approx(size, rel=0.02)
