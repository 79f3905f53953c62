"""Plug-ins are real distributions here: a package and its metadata in a folder of the import path."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import registry
from actors.contracts.engine import Capability, EngineError, EngineOptions
from actors.profiles import choose

OPTIONS = EngineOptions()

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution that offers `transcription.NAME` from a module with the given source."""
    monkeypatch.syspath_prepend(tmp_path)

    def install_distribution(distribution: str, name: str, source: str) -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        metadata = tmp_path / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[dubflow.engines]\ntranscription.{name} = {module}:Engine\n")

    return install_distribution


@pytest.mark.parametrize(("capability", "name"), choose("lite").items())
def test_embedded_engines_are_created_cheaply_and_know_who_they_are(capability: Capability, name: str) -> None:
    engine = registry.create(capability, name, OPTIONS)
    assert (engine.info.name, engine.info.capability) == (name, capability)
    assert engine.info.licence
    assert pickle.loads(pickle.dumps(engine)).info == engine.info
    engine.close()


def test_nothing_heavy_is_imported_before_an_engine_is_loaded() -> None:
    program = (
        "import sys\n"
        "from actors import registry\n"
        "from actors.contracts.engine import EngineOptions\n"
        "from actors.profiles import choose\n"
        "for capability, name in choose('lite').items():\n"
        "    registry.create(capability, name, EngineOptions()).info\n"
        "heavy = {'kaldi_native_fbank', 'onnxruntime', 'pocketsphinx', 'scipy', 'sklearn', 'faster_whisper', 'torch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_plug_in_is_found_by_its_entry_point(install: Install) -> None:
    install("acme-ears", "acme", "class Engine:\n    def __init__(self, options): self.options = options\n")
    assert "acme" in registry.names(Capability.TRANSCRIPTION)
    assert "acme" not in registry.names(Capability.TRANSLATION)
    assert registry.create(Capability.TRANSCRIPTION, "acme", OPTIONS).options is OPTIONS


def test_an_unknown_name_lists_what_exists() -> None:
    with pytest.raises(EngineError, match="pocketsphinx") as caught:
        registry.create(Capability.TRANSCRIPTION, "nobody", OPTIONS)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("source", "code"),
    [("import a_module_nobody_has", "model_missing"), ("raise RuntimeError('no driver')", "model_load_failed")],
)
def test_a_plug_in_that_fails_to_import_names_its_package_and_breaks_no_other(
    install: Install, source: str, code: str
) -> None:
    install("acme-broken", "broken", source)
    with pytest.raises(EngineError, match="acme-broken") as caught:
        registry.create(Capability.TRANSCRIPTION, "broken", OPTIONS)
    assert caught.value.code == code
    assert registry.create(Capability.TRANSCRIPTION, "pocketsphinx", OPTIONS).info.name == "pocketsphinx"


def test_a_plug_in_that_cannot_be_created_is_an_engine_error(install: Install) -> None:
    install("acme-shy", "shy", "class Engine:\n    pass\n")
    with pytest.raises(EngineError, match="shy") as caught:
        registry.create(Capability.TRANSCRIPTION, "shy", OPTIONS)
    assert caught.value.code == "model_load_failed"


def test_two_packages_that_offer_one_name_are_refused_by_name(install: Install) -> None:
    install("acme-one", "twice", "class Engine: ...")
    install("acme-two", "twice", "class Engine: ...")
    with pytest.raises(EngineError, match="acme-one, acme-two") as caught:
        registry.create(Capability.TRANSCRIPTION, "twice", OPTIONS)
    assert caught.value.code == "invalid_request"


def test_a_parameter_that_is_no_number_is_a_wrong_request() -> None:
    options = EngineOptions(parameters={"batch": "many"})
    with pytest.raises(EngineError, match="'batch' is 'many'; give it a number") as refused:
        registry.create(Capability.TRANSCRIPTION, "whisper", options)
    assert refused.value.code == "invalid_request"
    assert EngineOptions(parameters={"batch": "8"}).number("batch", 4) == 8
    assert OPTIONS.number("batch", 4) == 4
