"""What tells a running flow from one that other settings would give."""

from pathlib import Path

import pytest

from cluster.settings import Settings
from dataflow.service import ServiceFlow


@pytest.mark.parametrize("profile", ["lite", "cpu"])
def test_a_configuration_changes_with_the_settings_and_only_with_them(tmp_path: Path, profile: str) -> None:
    settings = Settings(home=tmp_path, profile=profile)
    here = ServiceFlow.configuration(settings)
    assert ServiceFlow.configuration(Settings(home=tmp_path, profile=profile)) == here
    assert ServiceFlow.configuration(settings.model_copy(update={"max_job_attempts": 7})) != here
    assert ServiceFlow.configuration(settings.model_copy(update={"models": tmp_path / "elsewhere"})) != here
