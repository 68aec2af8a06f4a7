"""MLflow: what people browse. Curves while a model trains; runs, reports and registered models from the outbox.

MLflow decides nothing: when it is down, a night goes on and the outbox is replayed later; when it is lost, `rebuild`
tells it every release anew. `python -m tasks.tracking --help` shows both for people.
"""

from tasks.tracking.following import curves
from tasks.tracking.replaying import Replayed, rebuild, replay
from tasks.tracking.store import address, prepare, redact

__all__ = ["Replayed", "address", "curves", "prepare", "rebuild", "redact", "replay"]
