"""A person's word: a held release goes live, or is never published; who and why are kept, the verdict stays."""

import pytest

from kindex.core import release
from kindex.core.decide import approve, reject
from kindex.core.errors import ConfigError, DamagedError, MetricGateError
from kindex.core.pointer import promote, rollback
from kindex.core.publish import build

WHO = ("ada", "the golden list is right again", "2026-11-21T08:00:00+00:00")


@pytest.fixture
def releases(tmp_path):
    """v0001 is live, v0002 and v0003 are held."""
    for content in (b"1", b"2", b"3"):
        manifest, _ = build(tmp_path / "m", "m", {"a": content}, {}, {"passed": content == b"1", "verdict": {"passed": False}})
        if content == b"1":
            promote(tmp_path / "m", manifest.version, None)
    return tmp_path / "m"


def test_an_approved_version_is_live_and_its_verdict_stays(releases):
    before = (releases / "v0002" / "manifest.json").read_bytes()
    former, now = approve(releases, "v0002", *WHO)
    assert (former.version, now.version, now.former) == ("v0001", "v0002", ("v0001",))
    assert release.verify(releases).version == "v0002"
    assert (releases / "v0002" / "manifest.json").read_bytes() == before
    (decision,) = release.current(releases).decisions
    assert (decision.version, decision.decision, decision.by, decision.because, decision.at) == ("v0002", "approved", *WHO)
    assert approve(releases, "v0002", *WHO)[1] == now, "again: already so"
    assert rollback(releases)[1].version == "v0001"
    assert len(release.current(releases).decisions) == 1, "a rollback forgets no decision"


def test_a_rejected_version_is_published_by_no_night(releases):
    now = reject(releases, "v0002", *WHO)
    assert (now.version, now.withdrawn) == ("v0001", ("v0002",))
    assert now.decisions[-1].decision == "rejected"
    assert reject(releases, "v0002", *WHO) == now, "again: already so"
    with pytest.raises(MetricGateError, match="`kindex approve m v0002"):
        promote(releases, "v0002", "v0001")
    _, after = approve(releases, "v0002", *WHO)
    assert (after.version, after.withdrawn) == ("v0002", ())


def test_what_cannot_be_decided_is_said_in_words(releases, tmp_path):
    with pytest.raises(ConfigError, match="no release 'v0009'"):
        approve(releases, "v0009", *WHO)
    with pytest.raises(ConfigError, match="approving needs a reason"):
        approve(releases, "v0002", "ada", "  ", WHO[2])
    with pytest.raises(ConfigError, match="v0001 of m is live: `kindex rollback m`"):
        reject(releases, "v0001", *WHO)
    approve(releases, "v0003", *WHO)
    with pytest.raises(ConfigError, match=r"v0002 of m is older than the live v0003: .* --to v0002"):
        approve(releases, "v0002", *WHO)
    (releases / "v0002" / "a").write_bytes(b"x")
    with pytest.raises(DamagedError, match="v0002/a is damaged"):
        reject(releases, "v0002", *WHO)
    build(tmp_path / "n", "n", {"a": b"1"}, {}, {})
    with pytest.raises(ConfigError, match="nothing of n is live yet"):
        reject(tmp_path / "n", "v0001", *WHO)
    former, now = approve(tmp_path / "n", "v0001", *WHO)
    assert (former, now.version) == (None, "v0001")
