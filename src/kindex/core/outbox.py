"""Messages for outside systems, kept until they are delivered, so that a system which is down loses nothing.

    <folder>/00000007-aliases-<hash of the key>.json     pending, in the order of the numbers
    <folder>/delivered/aliases-<hash of the key>.json    what was last delivered under this key
    <folder>/damaged/                                    what could not be read, set aside so that it blocks nothing

A message may be delivered twice, when a run dies between the delivery and `done`: the receiver's side must bear that.
"""

import hashlib
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, pretty_json, read_json, write_atomic

_REASON_CHARACTERS = 500
_CREDENTIALS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True)
class Message:
    """`payload` is JSON. `key` names what the message is about: of two with one kind and key, only the later counts."""

    path: Path
    number: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int = 0
    reason: str = ""

    @property
    def marker(self) -> Path:
        """Where the last delivery under this kind and key is remembered."""
        return self.path.parent / "delivered" / f"{_stem(self.kind, self.key)}.json"


def put(folder: Path, kind: str, payload: dict[str, Any], key: str) -> Message | None:
    """Keep a message until it is delivered. None when exactly this was the last thing delivered under `kind` and `key`.

    A pending message of the same kind and key is replaced, and the new one goes to the end of the queue: it may build on
    messages that came in between. Raises `ValueError` for a kind that is not a plain word.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
        raise ValueError(f"kind is {kind!r}, allowed: lower-case letters, digits and _")
    with _queue(folder):
        waiting = pending(folder)
        former = [message for message in waiting if (message.kind, message.key) == (kind, key)]
        number = 1 + max([_last_delivered(folder), *(message.number for message in waiting)])
        message = Message(folder / f"{number:08d}-{_stem(kind, key)}.json", number, kind, key, payload)
        if not former and message.marker.is_file() and read_json(message.marker)["sha256"] == _sha256(payload):
            return None
        _write(message)
        for old in former:
            old.path.unlink(missing_ok=True)  # after the write: a crash in between leaves both, in order
        return message


def pending(folder: Path) -> list[Message]:
    """What still has to be delivered, oldest first. A file that cannot be read is moved to `damaged/`."""
    found = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            raw = read_json(path)
            message = Message(path, raw["number"], raw["kind"], raw["key"], raw["payload"], raw["attempts"], raw["reason"])
        except (DamagedError, KeyError, TypeError):
            if path.exists():  # else it was delivered by another run just now
                (folder / "damaged").mkdir(exist_ok=True)
                path.replace(folder / "damaged" / path.name)
            continue
        if message.marker.is_file() and read_json(message.marker)["number"] >= message.number:
            path.unlink(missing_ok=True)  # delivered, and then the run died before it could remove the file
            continue
        found.append(message)
    return found


def done(message: Message) -> None:
    """The message was delivered: remember that, and drop it."""
    with _queue(message.path.parent):
        mark = {"number": message.number, "sha256": _sha256(message.payload)}
        write_atomic(message.marker, canonical_json(mark))
        message.path.unlink(missing_ok=True)


def failed(message: Message, reason: str) -> None:
    """The message could not be delivered: keep it, with the reason (without credentials) and one more attempt."""
    with _queue(message.path.parent):
        if message.path.exists():  # else it was replaced meanwhile, and must not come back
            plain = _CREDENTIALS.sub("//***@", reason)[:_REASON_CHARACTERS]
            _write(Message(**{**vars(message), "attempts": message.attempts + 1, "reason": plain}))


def damaged(folder: Path) -> list[Path]:
    """Messages that could not be read and were set aside."""
    return sorted((folder / "damaged").glob("*.json"))


def _write(message: Message) -> None:
    content = {name: value for name, value in vars(message).items() if name != "path"}
    write_atomic(message.path, pretty_json(content))


def _queue(folder: Path) -> AbstractContextManager[None]:
    return mutex.hold(folder / ".lock", "the outbox", wait_seconds=10.0)


def _last_delivered(folder: Path) -> int:
    return max((read_json(path)["number"] for path in (folder / "delivered").glob("*.json")), default=0)


def _stem(kind: str, key: str) -> str:
    return f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _sha256(payload: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(payload)).hexdigest()
