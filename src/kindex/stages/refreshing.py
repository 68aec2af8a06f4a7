"""What `train` does about the parent release: whether to go on from it, what of it stays, and what is said of it all."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kindex.core.align import Compatibility
from kindex.core.catalogue import Catalogue
from kindex.core.delta import Changes, Fingerprint, fingerprint, read_fingerprint, touched
from kindex.core.former import Former
from kindex.core.params import ModelParams
from kindex.core.refresh import Plan, Since, decide
from kindex.core.split import Split, together
from kindex.core.tables import opened

ENDS = "rows/ends.parquet"


@dataclass
class Refreshing:
    """One night of one model's training, beside the release that it starts from, if any. `scratch` is a folder for nameless
    files."""

    params: ModelParams
    module: Any
    config: Any
    split: Split
    former: Former | None
    scratch: Path
    made: dict[str, int] = field(default_factory=dict)  # vectors made anew, by kind
    agreement: float | None = None
    drift: float | None = None

    @cached_property
    def inductive(self) -> bool:
        return bool(getattr(self.module, "INDUCTIVE", False))

    @cached_property
    def whole(self) -> Catalogue:
        """What the encoder places."""
        return together(self.split)

    @cached_property
    def now(self) -> Fingerprint:
        """Rows of train; items by what their vectors follow from: train, or for an inductive family both sides."""
        rows = fingerprint(self.split.train, self.module.NEEDS, self.scratch)
        if not self.inductive:
            return rows
        return Fingerprint(rows.rows, fingerprint(self.whole, self.module.NEEDS, self.scratch).entities)

    @cached_property
    def before(self) -> Fingerprint:
        assert self.former
        return read_fingerprint(self.former.files("rows"), self.module.NEEDS)

    @cached_property
    def touched(self) -> dict[str, list[str]]:
        """Ids, by kind, of items that are new or have other evidence."""
        return touched(self.before.entities, self.now.entities)[0]

    @cached_property
    def evidence(self) -> Any:
        """The train part as the family folds items in by, or None."""
        return self.module.Evidence(self.split.train, self.scratch) if hasattr(self.module, "Evidence") else None

    def plan(self) -> Plan:
        """The policy's decision. See docs/refresh.md for its order."""
        if self.former is None:
            return Plan("full", ["no parent release is locked"])
        lock, refresh = self.former.lock, self.former.refresh
        plain = {
            "the lock of the parent asks for a full build": lock.full,
            "refresh.mode is full": self.params.refresh.mode == "full",
            f"release {lock.version} has no hashes of rows": refresh is None or not self.former.has("rows/entities.parquet"),
            f"the family {self.params.family} folds nothing in": not (self.inductive or hasattr(self.module, "Evidence")),
        }
        reasons = [reason for reason, holds in plain.items() if holds]
        if other := self._other_settings():
            reasons.append(f"{', '.join(other)} changed since {lock.version}")
        if reasons or refresh is None:
            return Plan("full", reasons)
        changes = {kind: Changes.between(self.before.rows[kind], rows) for kind, rows in self.now.rows.items()}
        return decide(self.params.refresh, lock, Since.of(refresh, lock), changes, hasattr(self.module, "warm"))

    def _other_settings(self) -> list[str]:
        assert self.former
        now = {"catalogue": self.params.catalogue, "family": self.params.family, **asdict(self.config)}
        then = {name: value for name, value in self.former.settings.items() if name != "refresh"}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in now.items()}
        return sorted(name for name in {**plain, **then} if plain.get(name) != then.get(name))

    def folded(self) -> Any:
        """The parent's encoder for the items of today: itself, for an inductive family."""
        assert self.former
        parent = self.module.Encoder.load(self.former.files("encoder"))
        if self.inductive:
            return parent
        encoder, self.made = self.evidence.fold(parent, opened(self.former.file(ENDS)), self.touched)
        return encoder

    def let_go(self) -> None:
        """Forget what was read: a fit needs the memory, and all of it can be read again."""
        for name in ("now", "before", "evidence"):
            self.__dict__.pop(name, None)

    def measure(self, encoder: Any, since: Since | None) -> None:
        """How well vectors agree with what their links say; `since` a full build, of the items that were not touched."""
        if self.evidence is None:
            return
        self.agreement = self.evidence.agreement(encoder, self.touched if since else {})
        if since and since.agreement is not None and self.agreement is not None:
            self.drift = round(max(0.0, since.agreement - self.agreement), 6)

    def about(self, plan: Plan, compatibility: Compatibility) -> dict[str, Any]:
        """refresh.json: what was done, why, and what the next night must know."""
        lock = self.former.lock if self.former else None
        delta, full = plan.built == "delta", plan.built == "full"
        since = plan.since
        tables: dict[str, Any] = {}
        for kind, rows in self.now.rows.items():
            changes = plan.changes.get(kind, Changes(len(rows), len(rows), 0, 0))
            tables[kind] = asdict(changes)
        return {
            "built": plan.built,
            "parent": {"version": lock.version, "digest": lock.digest} if lock else None,
            "full": {"version": None, "night": lock.night if lock else None, "agreement": self.agreement}
            if full
            else {"version": since.version, "night": since.night, "agreement": since.agreement},
            "generation": 0 if full else since.generation + 1,
            "rows": tables,
            "share": 0.0 if full else round(plan.share, 9),
            "untrained": round(plan.untrained, 9) if delta else 0.0,
            "agreement": self.agreement,
            "drift": self.drift,
            "reasons": plan.reasons,
            "touched": self.made,
            "compatibility": compatibility.as_dict(),
        }


def told(model: str, about: dict[str, Any]) -> str:
    """One line for the terminal, out of refresh.json."""
    start = f" from {about['parent']['version']}" if about["parent"] else ""
    vectors = ", ".join(f"{count:,} {kind}" for kind, count in about["touched"].items() if count) or "none"
    return f"train {model}: {about['built']}{start} ({'; '.join(about['reasons'])}); vectors made: {vectors}"
