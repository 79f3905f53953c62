"""Binding of libespeak-ng, which ships with its data in the package espeakng-loader.

The library keeps its state in global variables: the position in its pitch flutter, among others, survives even its own
termination, and changes every following utterance. So each call loads a fresh copy (2 ms) and unloads it afterwards;
the same request then gives the same samples, whatever was said before and in whichever process. The file is a copy,
too, since others may keep the library's own loaded, as Kokoro's pronunciation does. One call runs at a time. A word in
another script than the language's costs about 0.2 MB of memory that the library never gives back.
"""

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_LONGEST_DATA_PATH = 150
"""The library cuts longer paths silently (its buffer has 160 characters)."""

_one_call_at_a_time = threading.Lock()


class EspeakError(Exception):
    """The library refused to do what it was asked for."""


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """A language that the library speaks.

    Attributes:
        file: What selects it, for instance `roa/es-419`.
        languages: (rank, tag) pairs, the tag as the library spells it; a lower rank fits better.
    """

    file: str
    languages: tuple[tuple[int, str], ...]


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)


def library_path() -> Path:
    """Where the shared library lies.

    Raises:
        ImportError: The package is not installed.
    """
    import espeakng_loader

    return Path(espeakng_loader.get_library_path())


def list_voices() -> tuple[ListedVoice, ...]:
    """The languages that the library speaks.

    Raises:
        EspeakError: The library does not work.
    """
    with _loaded() as (library, _):
        voices = library.espeak_ListVoices(None)
        found: list[ListedVoice] = []
        while voices[len(found)]:
            voice = voices[len(found)].contents
            found.append(ListedVoice(voice.identifier.decode(), tuple(_languages(voice.languages))))
        return tuple(found)


def speak(text: str, voice: str, *, words_per_minute: int, pitch: int) -> tuple[NDArray[np.int16], int]:
    """Say plain text; nothing in it is taken for markup.

    Args:
        text: What to say; NUL ends it.
        voice: File and variant: `roa/es+f2`.
        words_per_minute: 80 to 450; about 175 is natural.
        pitch: 0 to 99; 50 is the voice's own, 50 more double it.

    Returns:
        Samples, and their rate in Hz.

    Raises:
        EspeakError: The voice does not exist, or the library failed.
    """
    _check_variant(voice)
    with _loaded() as (library, rate):
        blocks: list[NDArray[np.int16]] = []
        callback = _collector(blocks)
        library.espeak_SetSynthCallback(callback)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # Breath is noise.
        _check(library.espeak_SetVoiceByName(voice.encode()), f"voice {voice}")
        _check(library.espeak_SetParameter(_RATE, words_per_minute, 0), "rate")
        _check(library.espeak_SetParameter(_PITCH, pitch, 0), "pitch")
        data = text.encode(errors="ignore") + b"\0"
        _check(library.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None), "synthesis")
        return np.concatenate([np.zeros(0, np.int16), *blocks]), rate


@contextmanager
def _loaded() -> Iterator[tuple[ctypes.CDLL, int]]:
    with _one_call_at_a_time:
        try:
            library = ctypes.CDLL(f"/proc/self/fd/{_copied(library_path())}")
        except OSError as error:
            raise EspeakError(f"libespeak-ng cannot be loaded: {error}") from error
        try:
            yield library, _initialize(library)
        finally:
            library.espeak_Terminate()
            _unload(library)


def _initialize(library: ctypes.CDLL) -> int:
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(_data_folder()), _DO_NOT_EXIT)
    if rate <= 0:
        raise EspeakError(f"eSpeak NG found no data in {_data_folder()}")
    return int(rate)


def _unload(library: ctypes.CDLL) -> None:
    from _ctypes import dlclose

    dlclose(library._handle)  # noqa: SLF001 - the only name that ctypes gives the handle


@cache
def _copied(path: Path) -> int:
    """A file in memory that only this process knows, as long as it lives; its descriptor."""
    copy = os.memfd_create("espeak", os.MFD_CLOEXEC)
    with open(copy, "wb", closefd=False) as file:
        file.write(path.read_bytes())
    return copy


def _data_folder() -> Path:
    import espeakng_loader

    folder = Path(espeakng_loader.get_data_path())
    if len(os.fsencode(folder)) <= _LONGEST_DATA_PATH:
        return folder
    return Path(_alias(folder).name) / folder.name


@cache
def _alias(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder with a link to a folder whose own path is too long; it lasts as long as this process."""
    alias = tempfile.TemporaryDirectory(prefix="espeak-")
    (Path(alias.name) / folder.name).symlink_to(folder)
    return alias


def _languages(packed: int) -> Iterator[tuple[int, str]]:
    """Unpack what the library returns: a rank byte and a NUL-terminated tag, again and again, then a zero byte."""
    while rank := ctypes.string_at(packed, 1)[0]:
        tag = ctypes.string_at(packed + 1)
        yield rank, tag.decode()
        packed += len(tag) + 2


def _collector(blocks: list[NDArray[np.int16]]) -> Any:
    def collect(samples: Any, count: int, _events: int) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    return _Callback(collect)


def _check_variant(voice: str) -> None:
    """The library itself ignores a variant that does not exist."""
    _, _, variant = voice.partition("+")
    if variant and not (_data_folder() / "voices" / "!v" / variant).is_file():
        raise EspeakError(f"eSpeak NG has no voice variant {variant}")


def _check(status: int, what: str) -> None:
    if status != 0:
        raise EspeakError(f"eSpeak NG refused the {what} (status {status})")
