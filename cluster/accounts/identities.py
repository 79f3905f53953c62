"""Who a key or session belongs to, remembered for half a minute so that not every request asks the database."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cluster.accounts.api_keys import FoundKey
from cluster.accounts.records import Holder
from cluster.accounts.secrets import hash_of, read_key
from cluster.accounts.sessions import Sessions

REMEMBERED_SECONDS = 30.0
"""How long a revoked key may still be taken for good."""

_OPEN_SECONDS = 2.0
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    found: FoundKey
    until: float


class Identities:
    """What one process knows of keys and sessions. Only good ones are remembered: guesses push nothing out.

    Args:
        accounts: Where they are looked up.
        clock: Monotonic seconds.
    """

    def __init__(self, accounts: Sessions, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._has_keys = False
        self._open_until = -math.inf

    def of_key(self, text: str) -> Holder | None:
        """Who shows this key; None where it is none, or none that is good."""
        shown = read_key(text)
        if shown is None:
            return None
        found = self._key(shown.id)
        return found.holder if found is not None and shown.matches(found.secret_hash) else None

    def of_key_id(self, key_id: str) -> Holder | None:
        """Who holds a key that was shown before; None where it is not good any more."""
        found = self._key(key_id)
        return found.holder if found is not None else None

    def of_session(self, token: str) -> Holder | None:
        """Who has logged in; None where nobody has, or their key is not good any more."""
        found = self._look_up(_session(token), lambda: self._accounts.find_session(token))
        return found.holder if found is not None else None

    def forget_session(self, token: str) -> None:
        """Stop remembering somebody who has logged out here."""
        with self._lock:
            self._known.pop(_session(token), None)

    def none_exists(self) -> bool:
        """Tell whether no key was ever made: then everybody may come in, where the service lets nobody from outside."""
        if self._has_keys:
            return False
        now = self._clock()
        if now >= self._open_until:
            self._has_keys = self._accounts.any_key()
            self._open_until = now + _OPEN_SECONDS
        return not self._has_keys

    def _key(self, key_id: str) -> FoundKey | None:
        return self._look_up(f"key {key_id}", lambda: self._accounts.find_key(key_id))

    def _look_up(self, name: str, read: Callable[[], FoundKey | None]) -> FoundKey | None:
        now = self._clock()
        with self._lock:
            known = self._known.get(name)
            if known is not None and now < known.until:
                self._known.move_to_end(name)
                return known.found
        found = read()
        with self._lock:
            self._known.pop(name, None)
            if found is not None:
                self._known[name] = _Known(found, now + min(REMEMBERED_SECONDS, found.seconds_left))
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found


def _session(token: str) -> str:
    return f"session {hash_of(token)}"
