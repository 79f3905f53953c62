import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from cluster.accounts.secrets import new_key
from cluster.ledger.ledger import Ledger
from cluster.logs import HIDDEN, hide_secrets, set_up_logs
from cluster.settings import Settings
from tests.fixtures.ledgers import request

SIGNED = "https://bucket.s3.amazonaws.com/a.mp4?X-Amz-Credential=AKIA1&X-Amz-Signature=abcdef0123&partNumber=1"

Lines = Callable[[], list[str]]


@pytest.fixture
def logging_untouched() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()  # stages that ran in this process leave what they worked on
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], logging_untouched: None) -> Lines:
    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


def set_up(**changes: object) -> None:
    set_up_logs(Settings(_env_file=None, log_level="info", **changes))  # type: ignore[call-arg, arg-type]


def hidden(**fields: object) -> dict[str, object]:
    return dict(hide_secrets(None, "info", fields))


def test_every_line_is_one_json_object_with_what_is_bound(lines: Lines) -> None:
    set_up(log_format="json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("doors").info("accepted", job_id="j1", attempt=2)
        logging.getLogger("library").warning("said %s\nand more", "something")
    structlog.get_logger("doors").debug("too quiet")

    # Threads that earlier tests have left may say something of their own in between.
    ours, theirs = (one for one in map(json.loads, lines()) if one["logger"] in {"doors", "library"})

    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "message": "accepted",
        "level": "info",
        "logger": "doors",
        "request_id": "r1",
        "job_id": "j1",
        "attempt": 2,
    }
    assert (theirs["message"], theirs["level"], theirs["logger"], theirs["request_id"]) == (
        "said something\nand more",
        "warning",
        "library",
        "r1",
    )


def test_lines_for_people_stay_lines_whatever_is_in_them(lines: Lines) -> None:
    set_up()
    structlog.get_logger("doors").info("opened", name="a\x1b[31m\u202eb\r")

    (line,) = lines()

    assert "opened" in line
    assert not set(line) & {"\x1b", "\u202e", "\r"}


def test_setting_up_twice_logs_once(lines: Lines) -> None:
    set_up(log_format="json")
    set_up(log_format="json")
    structlog.get_logger("doors").info("once")

    assert len(lines()) == 1


def test_an_exception_is_logged_without_secrets_and_without_variables(lines: Lines) -> None:
    set_up(log_format="json")
    spoken = "what the customer said"
    try:
        raise ValueError(f"cannot fetch {SIGNED}")
    except ValueError:
        structlog.get_logger("flow").exception("failed")
        logging.getLogger("library").exception("failed too")

    told = [json.loads(line) for line in lines()]

    assert len(told) == 2
    for one in told:
        assert "ValueError: cannot fetch https://bucket" in one["exception"]
        assert "abcdef0123" not in json.dumps(one)
        assert spoken not in json.dumps(one)


def test_keys_signatures_passwords_and_tickets_are_hidden() -> None:
    key = new_key()
    found = hidden(
        url=SIGNED,
        path="/api/v1/jobs/1/progress?ticket=t0p&after=3",
        database="postgresql+psycopg://dub:pa55@db/ledger",
        header=f"Bearer {key}",
        shown=f"the key {key} is unknown",
        authorization="Basic dXNlcg==",
        nested={"api_key": "k", "list": [f"X-API-Key: {key}"], "secret": {"a": 1}},
    )

    text = json.dumps(found)
    assert not [secret for secret in ("AKIA1", "abcdef0123", "t0p", "pa55", key, "dXNlcg") if secret in text]
    assert "partNumber=1" in text
    assert "after=3" in text
    assert found["nested"] == {"api_key": HIDDEN, "list": [f"X-API-Key: {found['shown'].split()[2]}"], "secret": HIDDEN}  # type: ignore[attr-defined]


def test_what_people_said_is_hidden_and_how_much_is_not() -> None:
    assert hidden(text="bonjour", source_text="hello", lines=["a"], words=3, chars=7) == {
        "text": HIDDEN,
        "source_text": HIDDEN,
        "lines": HIDDEN,
        "words": 3,
        "chars": 7,
    }


def test_libraries_do_not_tell_what_they_are_asked_for(lines: Lines, sqlite_url: str) -> None:
    set_up_logs(Settings(_env_file=None, log_level="debug", log_format="json"))  # type: ignore[call-arg]
    ledger = Ledger(sqlite_url)
    ledger.submit(request("a name that is nobody's business"))
    ledger.close()

    assert not [line for line in lines() if "business" in line or "INSERT" in line]


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)))
def test_hiding_loses_no_field(event: dict[str, object]) -> None:
    assert hide_secrets(None, "info", dict(event)).keys() == event.keys()
