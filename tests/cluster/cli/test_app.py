import pytest

from cluster.cli import app


def test_a_setting_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUBFLOW_LOG_FORMAT", "poem")
    monkeypatch.setattr("sys.argv", ["dubflow", "jobs"])

    with pytest.raises(SystemExit) as ended:
        app.main()

    assert ended.value.code == app.EXIT_ENVIRONMENT
    said = capsys.readouterr()
    assert said.out == ""
    assert "DUBFLOW_LOG_FORMAT" in said.err
    assert said.err.count("\n") == 1
