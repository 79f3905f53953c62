import pytest

from actors import registry
from actors.contracts.engine import Capability, EngineError
from actors.profiles import OPTIONAL, PROFILES, choose


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_names_an_engine_for_every_capability(profile: str) -> None:
    assert set(PROFILES[profile]) | OPTIONAL == set(Capability)


def test_what_is_optional_can_be_added_and_left_out() -> None:
    assert Capability.SEPARATION not in choose("lite")
    assert choose("lite", {"separation": "demucs"})[Capability.SEPARATION] == "demucs"
    assert choose("cpu")[Capability.SEPARATION] == choose("gpu")[Capability.SEPARATION] == "demucs"
    assert Capability.SEPARATION not in choose("cpu", {"separation": "none"})
    # Nothing else can be done without: its name is looked for, and not found.
    assert choose("cpu", {"speech": "none"})[Capability.SPEECH] == "none"


def test_engines_of_the_lite_profile_are_installed() -> None:
    for capability, name in choose("lite").items():
        assert name in registry.names(capability)


def test_an_engine_can_be_replaced() -> None:
    chosen = choose("lite", {"speech": "another"})
    assert chosen[Capability.SPEECH] == "another"
    assert chosen[Capability.TRANSLATION] == "apertium"


@pytest.mark.parametrize(("profile", "overrides"), [("big", {}), ("lite", {"dancing": "tango"})])
def test_misspelt_choices_are_refused_with_what_exists(profile: str, overrides: dict[str, str]) -> None:
    with pytest.raises(EngineError, match=r"lite|voice_analysis") as caught:
        choose(profile, overrides)
    assert caught.value.code == "invalid_request"


def test_weights_that_forbid_paid_use_are_chosen_only_where_nobody_earns() -> None:
    assert choose("gpu")[Capability.SPEECH] == "voxcpm"
    assert choose("gpu", noncommercial=True)[Capability.SPEECH] == "xtts"
    assert choose("gpu", {"speech": "espeak"}, noncommercial=True)[Capability.SPEECH] == "espeak"
    assert choose("lite", noncommercial=True) == choose("lite")
