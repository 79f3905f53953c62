"""Holds CTranslate2 to its share of a GPU, and tells how large a batch fits into it.

What CTranslate2 can be told by itself (`CT2_CUDA_CACHING_ALLOCATOR_CONFIG`) bounds idle memory only, one cache for each
thread. What it takes as a whole is bounded by CUDA: with the allocator `cuda_malloc_async` everything comes out of the
device's current pool, weights included, and that pool is given a size. So a batch that is too large fails by itself and
is split, instead of taking a neighbour's memory. How large a batch should be is an estimate, from the model's shape.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from actors.contracts.engine import EngineError, EngineOptions
from actors.cuda_pool import CONTEXT_BYTES, CudaDriver

_BYTES = {"float32": 4, "int8_float32": 1, "int8": 1, "int8_float16": 1, "int8_bfloat16": 1}
_HALF = 2
"""Bytes of a weight and of an activation in `float16`, `bfloat16` and `int16`."""
_SHORT_LINE = 8
"""Tokens: what shorter lines there are fill a batch together with longer ones."""
_LONGER = 1.5
"""A translation's tokens over its source's."""
_LOGIT_BYTES = 10
"""For each word of the vocabulary: the logit, its float32 copy and the logarithm of its probability."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What decides the memory of a model of transformers.

    Attributes:
        weights: How many.
        width: Of the states.
        heads: Of the encoder's attention.
        inner: Width of the feed-forward layers.
        attended: Width of keys, and of values, of one layer.
        encoder_layers: How many.
        decoder_layers: How many.
        vocabulary: Words that it writes.
    """

    weights: int
    width: int
    heads: int
    inner: int
    attended: int
    encoder_layers: int
    decoder_layers: int
    vocabulary: int

    @classmethod
    def read(cls, folder: Path) -> "ModelShape":
        """The shape of a converted model, out of the headers of its weights.

        Raises:
            OSError: There is no `model.bin`.
            ValueError: It is in another form, or of another kind of model.
        """
        with (folder / "model.bin").open("rb") as file:
            found = dict(_variables(file))
        try:
            projection = found["decoder/layer_0/self_attention/linear_0/weight"]
            return cls(
                weights=sum(prod(dimensions) for dimensions, _ in found.values()),
                width=projection[0][1],
                heads=found["encoder/num_heads"][1],
                inner=found["decoder/layer_0/ffn/linear_0/weight"][0][0],
                attended=projection[0][0] // 3,
                encoder_layers=_layers(found, "encoder"),
                decoder_layers=_layers(found, "decoder"),
                vocabulary=found["decoder/embeddings/weight"][0][0],
            )
        except (KeyError, IndexError) as error:
            raise ValueError(f"{folder / 'model.bin'} is no encoder and decoder: {error} is missing") from error

    def weight_bytes(self, compute_type: str) -> int:
        """What the weights take."""
        return self.weights * _BYTES.get(compute_type, _HALF)

    def window_bytes(self, frames: int, tokens: int, beam: int) -> int:
        """What one window of sound takes at most while it is heard or written, its states included.

        Args:
            frames: That the encoder attends to.
            tokens: The longest text.
            beam: Hypotheses.
        """
        heard = 2 * self.heads * frames**2 + frames * (2 * self.inner + 3 * self.attended + 3 * self.width)
        keys = 2 * self.decoder_layers * self.attended
        written = _HALF * keys * (frames + beam * tokens) + beam * self.vocabulary * _LOGIT_BYTES
        return _HALF * frames * self.width + max(_HALF * heard, written)

    def token_bytes(self, beam: int) -> int:
        """What one token of a text to translate takes at most; those of short lines take most."""
        keys = 2 * self.decoder_layers * self.attended
        read = _HALF * (2 * self.inner + 3 * self.attended + 3 * self.width)
        written = _HALF * keys * (1 + beam * _LONGER) + beam * self.vocabulary * _LOGIT_BYTES / _SHORT_LINE
        return round(read + written)


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that an engine has for what it works on.

    Attributes:
        limit: Bytes that it may take, weights included.
        weights: Bytes of those.
        capped: Whether CUDA refuses it more than that.
    """

    limit: int
    weights: int
    capped: bool

    def holds(self, piece: int, *, wanted: int) -> int:
        """How many pieces of so many bytes are worked on at once: as many as wanted, if they fit; one at least."""
        return max(1, min(wanted, (self.limit - self.weights) // piece))


def keep_to_share(
    options: EngineOptions, shape: ModelShape, compute_type: str, driver: CudaDriver | None = None
) -> Room:
    """Before CTranslate2 allocates anything: give this process a pool of the engine's share.

    Args:
        options: Of an engine on a GPU.
        shape: Of its model.
        compute_type: As CTranslate2 names it.
        driver: The machine's own where none is given.

    Raises:
        EngineError: `model_load_failed` where there is no GPU, or the weights alone exceed the share.
    """
    driver = driver or CudaDriver.open()
    limit = round(driver.memory * options.gpu_share) - CONTEXT_BYTES
    weights = shape.weight_bytes(compute_type)
    if weights >= limit:
        raise EngineError(
            f"weights take {weights / 1e9:.1f} GB and the engine's share of the GPU {max(0, limit) / 1e9:.1f} GB; "
            "give the pool more of it, or choose a smaller model or the compute_type int8_float16",
            code="model_load_failed",
        )
    capped = driver.limits_pools
    if capped:
        os.environ["CT2_CUDA_ALLOCATOR"] = "cuda_malloc_async"
        driver.limit_pool(limit)
    return Room(limit, weights, capped)


def _variables(file: BinaryIO) -> Iterator[tuple[str, tuple[tuple[int, ...], int]]]:
    """Name, dimensions and, of a single small number, its value."""
    version = _number(file, "I")
    if not 1 < version < 100:  # noqa: PLR2004 - what versions look like
        raise ValueError("this is no model of CTranslate2")
    _text(file)
    _number(file, "I")
    for _ in range(_number(file, "I")):
        name = _text(file)
        dimensions = tuple(_number(file, "I") for _ in range(_number(file, "B")))
        _number(file, "B")
        size = _number(file, "I")
        if dimensions:
            file.seek(size, os.SEEK_CUR)
            yield name, (dimensions, 0)
        else:
            yield name, ((), int.from_bytes(file.read(size), "little"))


def _number(file: BinaryIO, form: str) -> int:
    size = struct.calcsize(form)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("this model of CTranslate2 is cut off")
    return int(struct.unpack(f"<{form}", data)[0])


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H"))[:-1].decode("utf-8", errors="replace")


def _layers(found: dict[str, tuple[tuple[int, ...], int]], half: str) -> int:
    layers = {name.split("/")[1] for name in found if name.startswith(f"{half}/layer_")}
    return sum(layer.removeprefix("layer_").isdecimal() for layer in layers)
