import ctypes
import hashlib
import pickle
import subprocess
import sys
import threading
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.fft import dct

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import Speech, SpeechRequest
from actors.contracts.voices import Gender
from actors.speech import espeak_library
from actors.speech.espeak import Espeak
from actors.speech.espeak_library import EspeakError
from tests.fixtures.measured import Report

SPANISH = "La casa de mi hermano está cerca del río, donde los niños juegan todas las tardes. Después salimos."
VOICES = [offer.id for offer in Espeak(EngineOptions()).voices("es")]


@pytest.fixture(scope="module")
def engine() -> Espeak:
    engine = pickle.loads(pickle.dumps(Espeak(EngineOptions())))
    engine.check()
    engine.load()
    return engine


def say(engine: Espeak, text: str, language: str = "es", voice: str = "m6", rate: float = 1.0) -> Speech:
    (speech,) = engine.run([SpeechRequest(text, language, voice, rate)])
    assert isinstance(speech, Speech)
    return speech


def digest(speech: Speech) -> str:
    return hashlib.sha256(speech.samples.tobytes()).hexdigest()


def test_speech_is_mono_float_at_its_rate_and_neither_silent_nor_clipped(engine: Espeak) -> None:
    speech = say(engine, SPANISH)
    assert (speech.samples.dtype, speech.samples.ndim, speech.sample_rate) == (np.float32, 1, 22_050)
    assert 0.1 < np.abs(speech.samples).max() <= 1.0
    assert 4 < speech.seconds < 9


def test_there_is_no_silence_before_and_after(engine: Espeak) -> None:
    speech = say(engine, SPANISH)
    edge = round(0.02 * speech.sample_rate)
    for end in (speech.samples[:edge], speech.samples[-edge:]):
        assert np.abs(end).max() > 0.01 * np.abs(speech.samples).max()


@pytest.mark.parametrize("voice", VOICES)
def test_the_same_request_gives_the_same_samples_whatever_was_said_before(engine: Espeak, voice: str) -> None:
    first = say(engine, SPANISH, voice=voice)
    say(engine, "Something else entirely, and longer.", "en-US", "f5", 1.7)
    say(engine, "", "fr")
    assert digest(say(engine, SPANISH, voice=voice)) == digest(first)


def test_others_who_keep_the_library_loaded_change_nothing(engine: Espeak) -> None:
    first = say(engine, SPANISH)
    ctypes.CDLL(str(espeak_library.library_path()))  # never unloaded
    assert {digest(say(engine, SPANISH)) for _ in range(3)} == {digest(first)}


def test_the_same_request_gives_the_same_samples_in_another_process(engine: Espeak) -> None:
    program = (
        "import hashlib\n"
        "from actors.contracts.engine import EngineOptions\n"
        "from actors.contracts.speech import SpeechRequest\n"
        "from actors.speech.espeak import Espeak\n"
        f"requests = [SpeechRequest({SPANISH!r}, 'es', voice, 1.2) for voice in {VOICES!r}]\n"
        "for speech in Espeak(EngineOptions()).run(requests):\n"
        "    print(hashlib.sha256(speech.samples.tobytes()).hexdigest())\n"
    )
    elsewhere = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    here = [digest(say(engine, SPANISH, voice=voice, rate=1.2)) for voice in reversed(VOICES)]
    assert elsewhere.split() == here[::-1]


@pytest.mark.parametrize("voice", ["m6", "f2", "edward"])
@pytest.mark.parametrize("rate", [0.5, 0.75, 0.9, 1.15, 1.5, 2.0])
def test_duration_follows_the_rate(engine: Espeak, voice: str, rate: float) -> None:
    natural = say(engine, SPANISH, voice=voice).seconds
    assert say(engine, SPANISH, voice=voice, rate=rate).seconds * rate == pytest.approx(natural, rel=0.05)


def test_rates_beyond_the_limits_are_the_limits(engine: Espeak) -> None:
    slowest, fastest = engine.rates
    assert digest(say(engine, "Hola.", rate=0.1)) == digest(say(engine, "Hola.", rate=slowest))
    assert digest(say(engine, "Hola.", rate=9)) == digest(say(engine, "Hola.", rate=fastest))


def spectrum_and_pitch(speech: Speech) -> np.ndarray:
    """Mean cepstrum of the loud frames, and four times the octave of their median pitch."""
    frames = np.lib.stride_tricks.sliding_window_view(speech.samples, 1024)[::256] * np.hanning(1024)
    frames = frames[np.square(frames).mean(axis=1) > 1e-4]
    power = np.square(np.abs(np.fft.rfft(frames, 4096)))
    correlation = np.fft.irfft(power)[:, :400]
    pitch = speech.sample_rate / (60 + correlation[:, 60:300].argmax(axis=1))
    cepstra = dct(np.log(power[:, :1024] + 1e-9), norm="ortho")[:, 1:20] / 40
    return np.append(cepstra.mean(axis=0), 4 * np.log2(np.median(pitch)))


def test_voices_differ_clearly_and_come_in_both_genders(engine: Espeak, report: Report) -> None:
    offers = engine.voices("es")
    genders = [offer.gender for offer in offers]
    assert genders.count(Gender.FEMALE) == genders.count(Gender.MALE) == 6
    sound = {offer.id: spectrum_and_pitch(say(engine, SPANISH, voice=offer.id)) for offer in offers}
    distances = {(a, b): float(np.linalg.norm(sound[a] - sound[b])) for a, b in combinations(sound, 2)}
    closest = min(distances, key=distances.__getitem__)
    report(f"closest voices: {closest}, {distances[closest]:.2f}")
    assert distances[closest] > 0.3


@pytest.mark.parametrize("voice", ["roa/nowhere", "roa/es+nobody"])
def test_voices_that_do_not_exist_are_refused_not_replaced(voice: str) -> None:
    with pytest.raises(EspeakError):
        espeak_library.speak("hola", voice, words_per_minute=175, pitch=50)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<speak>hola</speak>", "speak hola speak"),
        ('<audio src="x"/> hola', None),
        ("[[h@l'oU]] hola", None),
        ("hola & adiós", None),
        ("\x0150P hola", "50P hola"),
        ("hola\0adiós", "hola adiós"),
    ],
)
def test_markup_is_spoken_as_text(engine: Espeak, text: str, plain: str | None) -> None:
    said = say(engine, text).seconds
    assert said > say(engine, "hola").seconds
    if plain:
        assert said >= 0.9 * say(engine, plain).seconds


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "..."])
def test_nothing_to_say_is_no_speech(engine: Espeak, text: str) -> None:
    assert say(engine, text).seconds == 0


def test_very_long_text_is_said_to_the_end(engine: Espeak) -> None:
    assert say(engine, "Hola amigo. " * 1000).seconds > 600


def test_regional_forms_are_spoken(engine: Espeak) -> None:
    assert {"es", "es-419", "en-GB", "en-US", "pt", "pt-BR", "fr", "de", "zh", "ca-valencia"} <= engine.languages()
    assert "ja" not in engine.languages()
    assert digest(say(engine, SPANISH, "es-MX")) == digest(say(engine, SPANISH, "es-419"))
    assert digest(say(engine, SPANISH, "es-419")) != digest(say(engine, SPANISH, "es"))


@pytest.mark.parametrize(
    ("language", "text"),
    [("zh", "你好 我的朋友。"), ("ar", "مرحبا يا صديقي"), ("ru", "Привет, друг"), ("ca", "Bon dia")],
)
def test_other_scripts_are_spoken(engine: Espeak, language: str, text: str) -> None:
    assert 0.4 < say(engine, text, language).seconds < 4


def test_a_bad_request_fails_alone(engine: Espeak) -> None:
    good, no_language, no_voice, also_good = engine.run(
        [
            SpeechRequest("hola", "es", "m6"),
            SpeechRequest("hello", "ja", "m6"),
            SpeechRequest("hola", "es", "nobody"),
            SpeechRequest("hola", "es", "m6"),
        ]
    )
    assert isinstance(good, Speech)
    assert isinstance(also_good, Speech)
    assert isinstance(no_language, EngineError)
    assert no_language.code == "unsupported_language"
    assert isinstance(no_voice, EngineError)
    assert no_voice.code == "invalid_request"
    assert engine.voices("ja") == ()


def test_engines_of_several_threads_do_not_disturb_each_other(engine: Espeak) -> None:
    alone = {voice: digest(say(engine, SPANISH, voice=voice)) for voice in VOICES}
    together: dict[str, str] = {}

    def speak(voice: str) -> None:
        together[voice] = digest(say(Espeak(EngineOptions()), SPANISH, voice=voice))

    threads = [threading.Thread(target=speak, args=(voice,)) for voice in VOICES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_data_at_a_very_long_path_is_found(engine: Espeak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 150) / "espeak-ng-data"
    folder.parent.mkdir()
    folder.symlink_to(espeak_library._data_folder(), target_is_directory=True)
    before = digest(say(engine, "hola"))
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(folder))
    assert digest(say(engine, "hola")) == before


def test_missing_data_is_an_engine_error_not_the_end_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(tmp_path))
    with pytest.raises(EngineError) as caught:
        Espeak(EngineOptions()).check()
    assert caught.value.code == "model_load_failed"


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(EngineError, match="pip install espeakng-loader") as caught:
        Espeak(EngineOptions()).load()
    assert caught.value.code == "model_missing"


def test_galician_is_read_with_the_sounds_of_portuguese_and_the_offer_says_so(engine: Espeak) -> None:
    assert "gl" in engine.languages()
    assert {offer.accent for offer in engine.voices("gl")} == {"pt"}
    assert {offer.accent for offer in engine.voices("es-419")} == {None}
    galician, portuguese = engine.run([SpeechRequest("Ola amigo", tag, "m6") for tag in ("gl", "pt")])
    assert isinstance(galician, Speech)
    assert isinstance(portuguese, Speech)
    assert np.array_equal(galician.samples, portuguese.samples)
