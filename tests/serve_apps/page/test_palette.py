"""Text can be read on whatever it stands on, in both themes."""

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).parents[3] / "serve_apps/page/tokens.css").read_text(encoding="utf-8")
GROUNDS = ("ground", "surface", "sunken")
PAIRS = [
    *((text, ground) for text in ("ink", "soft", "bad") for ground in ("ground", "surface")),
    *((text, "sunken") for text in ("ink", "soft")),
    *((f"speaker-{number}", ground) for number in range(1, 7) for ground in GROUNDS[:2]),
    *((kind, f"{kind}-wash") for kind in ("accent", "good", "warn", "bad")),
    *(("warn", ground) for ground in ("surface", "accent-wash")),
    *(("soft", "accent-wash"), ("ink", "accent-wash"), ("accent", "surface"), ("accent", "ground")),
    *(("accent-ink", "accent"), ("accent-ink", "accent-strong"), ("surface", "bad")),
]


def palette(dark: bool) -> dict[str, str]:
    light, night = TOKENS.split("@media (prefers-color-scheme: dark)")
    values = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return values | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", night)) if dark else values


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_contrast(dark: bool) -> None:
    colours = palette(dark)
    poor = {pair: contrast(*(colours[name] for name in pair)) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_edges_of_fields_can_be_seen(dark: bool) -> None:
    colours = palette(dark)
    assert contrast(colours["soft"], colours["surface"]) >= 3


def test_both_themes_name_every_colour() -> None:
    light, night = (
        set(re.findall(r"--([\w-]+): (?:#|rgb)", part)) for part in TOKENS.split("@media (prefers-color-scheme")
    )
    assert light == night
