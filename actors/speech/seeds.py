from hashlib import blake2b


def seed_of(text: str, *voice: str) -> int:
    """The same for the same words and voice, so that a line that is made again sounds the same."""
    return int.from_bytes(blake2b(f"{' '.join(voice)}: {text}".encode(), digest_size=4).digest(), "big")
