"""Who hears alerts: apprise addresses from `KINDEX_ALERT_URLS`, or a block of Prefect's. The only file that imports apprise.

An address is a secret, for it holds a token or a password: it is never printed, logged or kept. A receiver is known by its
kind (`slack`, `json`, …) and by a hash.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core.errors import OutsideError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout
from tasks.environment import Server

URLS, BLOCK = "KINDEX_ALERT_URLS", "KINDEX_ALERT_BLOCK"
DEFAULT_BLOCK = "secret/kindex-alerts"
"""A Secret of Prefect's that holds one address, or several separated by blanks. `KINDEX_ALERT_BLOCK` names another block:
a Secret, or one that notifies by itself, such as `slack-webhook/oncall`."""

LEVELS = {"failed": "failure", "held": "warning", "late": "warning", "skipped": "info", "recovered": "success"}


@dataclass(frozen=True)
class Receiver:
    """`kind` is for people. `send` takes kind of alert, title and body, and says whether they were taken."""

    kind: str
    mark: str  # tells it from others, and gives nothing away
    send: Callable[[str, str, str], bool]


def possible(layout: Layout, server: Server) -> bool:
    """Whether anybody may want to hear: asked before a message is kept. A block is known to its server only.

    While that is down, messages are kept if the block was there before.
    """
    if os.environ.get(URLS) or os.environ.get(BLOCK) or server.kind in ("given", "standing"):
        return True
    return server.kind == "down" and _seen(layout).exists()


def receivers(layout: Layout, server: Server) -> list[Receiver]:
    """All of them; none when neither the environment nor Prefect names one. Raises `OutsideError` when Prefect is down."""
    if urls := os.environ.get(URLS, "").split():
        return [by_apprise(url) for url in urls]
    if server.kind in ("given", "standing"):
        found = from_block(os.environ.get(BLOCK) or DEFAULT_BLOCK)
        if found and not _seen(layout).exists():
            write_atomic(_seen(layout), b"")
        return found
    if server.kind == "down" or os.environ.get(BLOCK):
        raise OutsideError(f"{URLS} is not set, and Prefect's server, which may keep the addresses, does not answer")
    return []


def by_apprise(url: str) -> Receiver:
    """A receiver behind one apprise address. One that apprise cannot read takes nothing, and says so by its kind."""
    kind = url.partition("://")[0] if "://" in url else "unreadable address"
    mark = hashlib.sha256(url.encode()).hexdigest()[:16]

    def send(level: str, title: str, body: str) -> bool:
        import apprise

        for name in ("apprise", "urllib3", "requests"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # they print addresses
        told = apprise.Apprise(asset=apprise.AppriseAsset(app_id="kindex", app_desc="kindex", secure_logging=True))
        return bool(told.add(url) and told.notify(body=body, title=title, notify_type=apprise.NotifyType(LEVELS[level])))

    return Receiver(kind, mark, send)


def from_block(name: str) -> list[Receiver]:
    """The receivers of a block `type/name`; none when Prefect has no such block. Raises `OutsideError` when it is down."""
    from prefect.blocks.core import Block

    try:
        block: Any = Block.load(name)
    except ValueError:  # no such block
        return []
    except Exception as error:
        raise OutsideError(f"Prefect's block {name} cannot be read: {type(error).__name__}") from None
    if hasattr(block, "notify"):
        return [
            Receiver(
                name, hashlib.sha256(name.encode()).hexdigest()[:16], lambda _, title, body: _notified(block, title, body)
            )
        ]
    value = block.get()
    texts = value.split() if isinstance(value, str) else [str(each) for each in value]
    return [by_apprise(url) for url in texts]


def _notified(block: Any, title: str, body: str) -> bool:
    try:
        block.notify(body, title)
    except Exception:  # its message may hold the address
        return False
    return True


def _seen(layout: Layout) -> Path:
    """Left when receivers were found in a block of Prefect's."""
    return layout.var / "alerts-block"
