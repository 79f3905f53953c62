"""Everything of the vLLM engine up to its GPU: its library's own records, grammar and tokenizer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.translation import Line, Translation, TranslationRequest
from actors.translation.chat import Chat
from actors.translation.chat_answers import read_lines
from actors.translation.chat_prompts import Brief, ask_for_passage
from actors.translation.chat_translator import ChatTranslator
from actors.translation.vllm import Vllm
from actors.translation.vllm_model import SEQUENCES, VllmModel, engine_arguments, prompt_tokens, sampling
from tests.fixtures.checkpoints.chat import PLAIN, SOURCES, chat_checkpoint, lessons
from tests.fixtures.checkpoints.marian import TRANSLATIONS

models = pytest.mark.models


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as missing:
        Vllm(EngineOptions(models=tmp_path, device="cuda")).check()
    assert missing.value.code == "model_missing"


def test_arguments_that_are_no_json_are_refused() -> None:
    with pytest.raises(EngineError, match=r"translation\.vllm"):
        Vllm(EngineOptions(parameters={"engine": "fast"}))


def test_arguments_of_the_engine_are_part_of_what_it_is() -> None:
    one = Vllm(EngineOptions()).info
    other = Vllm(EngineOptions(parameters={"engine": '{"quantization": "fp8"}'})).info
    assert one.identity != other.identity
    assert one.commercial_use


@models
def test_without_a_gpu_it_says_what_to_choose_instead() -> None:
    with pytest.raises(EngineError, match=r"translation\.ctranslate2") as refused:
        Vllm(EngineOptions(parameters={"model": str(chat_checkpoint())})).load()
    assert refused.value.code == "model_load_failed"


@models
def test_vllm_accepts_the_engines_arguments() -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs

    made = AsyncEngineArgs(**engine_arguments(chat_checkpoint(), 0.4, quantization="fp8"))
    assert (made.gpu_memory_utilization, made.max_num_seqs, made.quantization) == (0.4, 256, "fp8")


@models
def test_vllm_accepts_how_a_question_is_answered() -> None:
    chat = ask_for_passage(PLAIN, Brief())
    made = sampling(chat)
    assert made.structured_outputs.json == chat.schema
    assert (made.temperature, made.max_tokens) == (0.0, chat.tokens)


@models
def test_the_models_own_template_words_the_question() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chat_checkpoint())
    chat = ask_for_passage(PLAIN, Brief())
    assert tokenizer.decode(prompt_tokens(tokenizer, chat)) == (
        f"<|system|>{chat.system}<|end|><|user|>{chat.user}<|end|><|assistant|>"
    )


@models
@pytest.mark.timeout(900)
def test_the_grammar_that_vllm_enforces_lets_right_answers_through_and_no_others() -> None:
    import xgrammar
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chat_checkpoint())
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tokenizer))
    for chat, answer in lessons():
        grammar = compiler.compile_json_schema(dict(chat.schema), any_whitespace=True)
        assert xgrammar.GrammarMatcher(grammar).accept_string(answer)
        assert not xgrammar.GrammarMatcher(grammar).accept_string("Sure! " + answer)
        assert not xgrammar.GrammarMatcher(grammar).accept_string('{"lines": []}')


@models
@pytest.mark.timeout(900)
def test_a_model_held_to_the_grammar_answers_what_is_read_right() -> None:
    import torch
    import xgrammar
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from xgrammar.contrib.hf import LogitsProcessor

    tokenizer = AutoTokenizer.from_pretrained(chat_checkpoint())
    model = AutoModelForCausalLM.from_pretrained(chat_checkpoint())
    chat = ask_for_passage(PLAIN, Brief())
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    held = LogitsProcessor(xgrammar.GrammarCompiler(info).compile_json_schema(dict(chat.schema), any_whitespace=True))
    asked = torch.tensor([prompt_tokens(tokenizer, chat)])
    said = model.generate(asked, max_new_tokens=chat.tokens, logits_processor=[held])[0, asked.shape[1] :]
    answers = read_lines(tokenizer.decode(said, skip_special_tokens=True), PLAIN)
    assert [answer.text for answer in answers] == [TRANSLATIONS[SOURCES[0]], TRANSLATIONS[SOURCES[1]]]


class _Engine:
    """What of vLLM's asynchronous engine the model uses, with answers that are known."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.errored = error is not None
        self.closed: list[str] = []

    async def generate(self, prompt: object, sampling_params: object, request_id: str) -> AsyncIterator[object]:
        from vllm.outputs import CompletionOutput, RequestOutput

        try:
            if self.error:
                raise self.error
            await asyncio.sleep(0 if request_id != "1" else 60)
            said = CompletionOutput(0, f"answer {request_id}", [], None, None)
            yield RequestOutput(request_id, None, [], None, [said], finished=True)
        finally:
            self.closed.append(request_id)


def _model(engine: _Engine) -> VllmModel:
    from transformers import AutoTokenizer

    return VllmModel(AutoTokenizer.from_pretrained(chat_checkpoint()), engine)


@models
def test_a_question_that_nobody_waits_for_leaves_the_engine() -> None:
    engine = _Engine()
    model = _model(engine)
    chat = ask_for_passage(PLAIN, Brief())

    async def ask() -> str:
        first = await model.answer(chat)
        slow = asyncio.create_task(model.answer(chat))
        await asyncio.sleep(1.0)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        return first

    assert asyncio.run(ask()) == "answer 0"
    assert engine.closed == ["0", "1"]


@models
def test_an_engine_that_died_may_be_asked_again_and_one_that_refuses_may_not() -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    chat = ask_for_passage(PLAIN, Brief())
    dead = _model(_Engine(EngineDeadError()))
    with pytest.raises(EngineError) as died:
        asyncio.run(dead.answer(chat))
    assert died.value.retryable
    assert dead.dead
    with pytest.raises(EngineError, match="too long") as refused:
        asyncio.run(_model(_Engine(ValueError("the prompt is too long"))).answer(chat))
    assert not refused.value.retryable


def test_an_engine_that_died_is_started_again_once_for_all_who_ask() -> None:
    class Model:
        def __init__(self, *, dead: bool) -> None:
            self.dead = dead

        async def answer(self, chat: Chat) -> str:
            del chat
            return '{"lines": [{"id": 1, "text": "El río corre despacio.", "concise": ""}]}'

        async def close(self) -> None:
            started.append("closed")

    class Restarted(Vllm):
        def load(self) -> None:
            started.append("loaded")
            self._model = Model(dead=len(started) == 1)  # type: ignore[assignment]
            self._translator = ChatTranslator(self._model, self._fallback)  # type: ignore[arg-type]

    started: list[str] = []
    engine = Restarted(EngineOptions(parameters={"fallback": "none"}))
    request = TranslationRequest("en", "es", (Line("u0", "S1", "The river runs slowly.", 3.0),))

    async def scenario() -> list[Translation]:
        return list(await asyncio.gather(*(engine.answer(request) for _ in range(3))))

    engine.load()
    answers = asyncio.run(scenario())
    assert [answer.lines[0].text for answer in answers] == ["El río corre despacio."] * 3
    assert started == ["loaded", "closed", "loaded"]


def test_as_many_passages_are_in_it_as_its_scheduler_takes() -> None:
    assert Vllm(EngineOptions()).at_once == SEQUENCES
    assert Vllm(EngineOptions(parameters={"engine": '{"max_num_seqs": 64}'})).at_once == 64
