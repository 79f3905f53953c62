"""What somebody states who asks for cloned voices. The ledger keeps the version, and who stated it when for what."""

WORDINGS = {
    1: "The speakers of this source agree that their own voices speak its dub.",
    2: "The speakers of this source agree that their own voices speak its dub and, where the job names a series, are "
    "kept to speak the dubs of the series' other sources, until they are forgotten.",
}
"""All versions, so that what was once stated can be read; a changed wording is a new version."""

CONSENT = max(WORDINGS)
"""The version that is stated now."""
