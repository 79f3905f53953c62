"""The voices of Kokoro 1.0: their names tell language and gender; here they stand in the order of their quality."""

from actors.contracts.speech import VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup

VOICES: dict[str, tuple[str, ...]] = {
    "en-US": (
        "af_heart", "am_michael", "af_bella", "am_fenrir", "af_nicole", "am_puck", "af_aoede", "am_eric", "af_kore",
        "am_liam", "af_sarah", "am_onyx", "af_nova", "am_echo", "af_alloy", "am_adam", "af_sky",
    ),
    "en-GB": ("bf_emma", "bm_george", "bf_isabella", "bm_fable", "bf_alice", "bm_lewis", "bf_lily", "bm_daniel"),
    "es": ("ef_dora", "em_alex", "em_santa"),
    "fr": ("ff_siwis",),
    "hi": ("hf_alpha", "hm_omega", "hf_beta", "hm_psi"),
    "it": ("if_sara", "im_nicola"),
    "pt-BR": ("pf_dora", "pm_alex", "pm_santa"),
}  # fmt: skip
"""Its Chinese and Japanese voices need other pronunciation rules than eSpeak's and are left out."""

PHONEMIZER: dict[str, str] = {
    "en-US": "en-us",
    "en-GB": "en-gb",
    "es": "es",
    "fr": "fr-fr",
    "hi": "hi",
    "it": "it",
    "pt-BR": "pt-br",
}
"""What eSpeak calls the languages."""


def spoken(language: str) -> str | None:
    """Which of the languages serves a requested one."""
    return lookup(language, VOICES)


def offers(language: str) -> tuple[VoiceOffer, ...]:
    """The language's own voices, then, so that every speaker has one, American ones with their accent."""
    own = spoken(language)
    if own is None:
        return ()
    natives = tuple(VoiceOffer(name, _gender(name)) for name in VOICES[own])
    if own.startswith("en"):
        return natives
    return natives + tuple(VoiceOffer(name, _gender(name), "en-US") for name in VOICES["en-US"])


def _gender(name: str) -> Gender:
    return Gender.FEMALE if name[1] == "f" else Gender.MALE
