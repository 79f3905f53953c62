from collections import UserDict
from typing import TypeVar

KeyT = TypeVar("KeyT")
VoiceT = TypeVar("VoiceT")


class KeptVoices(UserDict[KeyT, VoiceT]):
    """What a network has learned of voices, by their names; of too many, the one that was learned first goes.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, name: KeyT, voice: VoiceT) -> None:
        while name not in self.data and len(self.data) >= self.most:
            del self.data[next(iter(self.data))]
        self.data[name] = voice
