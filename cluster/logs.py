"""Structured logs on stderr: one form for our own lines and those of libraries, and no secrets or speech in them.

Every line carries what was bound around it (`structlog.contextvars`): `request_id` at the doors, `job_id` in the flow.
"""

import logging
import re
import sys
from collections.abc import Mapping
from types import NoneType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from cluster.settings import Settings

HIDDEN = "[hidden]"

_SECRET_NAMES = re.compile(
    r"authorization|cookie|password|secret|token$|ticket|signature|credential|api_?key$|^key$", re.IGNORECASE
)
_SPEECH_NAMES = frozenset({"text", "texts", "source_text", "target_text", "transcript", "words", "lines", "utterances"})
_SECRETS = (
    # What follows these in a URL's query lets whoever reads the log in.
    (re.compile(r"([?&](?:X-Amz-[\w-]+|AWSAccessKeyId|Signature|ticket|token|key)=)[^&\s\"']+", re.IGNORECASE), r"\1"),
    (re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+(?=@)"), r"\1"),  # the password of a URL
    (re.compile(r"((?:Bearer|Basic) +)[\w.~+/=-]+", re.IGNORECASE), r"\1"),
    (re.compile(r"(\bdub_[0-9a-f]{16}_)[0-9a-f]+"), r"\1"),  # our own keys: the rest is no secret
    (re.compile(r"()\bwhsec_[\w+/=-]+"), r"\1"),
)
_TALKATIVE = ("botocore", "boto3", "s3transfer", "urllib3", "httpx", "httpcore", "sqlalchemy", "websockets", "av")
"""What these libraries tell in passing has whole requests and statements in it: keys, addresses, what people said."""
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that could make a terminal show something else than was written."""


def set_up_logs(settings: Settings) -> None:
    """Let this process log as the settings say; may be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Rendered before anything is hidden, so that secrets in messages of exceptions are found; without the values
        # of variables, which may hold anything.
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers are made when modules are imported, before this is called
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(settings.log_format)],
        )
    )
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the time: programs and tests redirect it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the base class keeps what this looks up
        return sys.stderr


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what lets somebody in, and what people said, wherever it is in a line."""
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any) -> Any:
    if name.startswith("_") or isinstance(value, NoneType | bool | int | float):
        return value  # structlog's own, and what is no text
    if _SECRET_NAMES.search(name) or name in _SPEECH_NAMES:
        return HIDDEN
    match value:
        case Mapping():
            return {key: _hidden(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden("", item) for item in value]
    return _without_secrets(str(value))


def _without_secrets(text: str) -> str:
    for pattern, kept in _SECRETS:
        text = pattern.sub(kept + HIDDEN, text)
    return text


def _visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        name: _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _rendered(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(sort_keys=True)]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    return [_visible, plain]
