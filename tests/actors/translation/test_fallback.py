import pytest

from actors import registry
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.translation.fallback import NONE, Fallback
from actors.translation.openai_compatible import OpenAiCompatible

REQUEST = TranslationRequest("en", "es", tuple(Line(f"u{i}", "S1", text, 1.0) for i, text in enumerate(("a", "b"))))


class Machine:
    """Knows one of two lines."""

    loads = 0
    missing = False

    def __init__(self, options: EngineOptions) -> None:
        assert options.device == "cpu"
        self.info = EngineInfo("machine", Capability.TRANSLATION, "1", "none", "MIT")

    def check(self) -> None:
        if Machine.missing:
            raise EngineError("no such pair", code="model_missing")

    def load(self) -> None:
        Machine.loads += 1

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset({("en", "es")})

    def run(self, batch: list[TranslationRequest]) -> list[Translation | EngineError]:
        lines = [request.lines[0] for request in batch]
        return [
            Translation((TranslatedLine(line.id, "A."),)) if line.text == "a" else EngineError("unknown")
            for line in lines
        ]

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine.loads, Machine.missing = 0, False
    monkeypatch.setattr(registry, "create", lambda _capability, _name, options: Machine(options))


def test_every_line_is_translated_by_itself_with_one_loading() -> None:
    fallback = Fallback("machine", EngineOptions(device="cuda", parameters={"model": "of the language model"}))
    assert fallback(REQUEST) == ["A.", None]
    assert fallback(REQUEST) == ["A.", None]
    assert Machine.loads == 1
    fallback.close()


def test_one_that_cannot_work_here_has_nothing() -> None:
    Machine.missing = True
    assert Fallback("machine", EngineOptions())(REQUEST) == [None, None]


def test_none_is_never_created() -> None:
    assert Fallback(NONE, EngineOptions())(REQUEST) == [None, None]
    assert Machine.loads == 0


def test_an_engine_that_takes_no_batches_is_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"url": "http://127.0.0.1:1/v1", "model": "m"}
    engine = OpenAiCompatible(EngineOptions(parameters=parameters))
    monkeypatch.setattr(registry, "create", lambda *_arguments: engine)
    assert Fallback("openai", EngineOptions())(REQUEST) == [None, None]
