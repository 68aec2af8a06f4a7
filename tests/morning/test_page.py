"""The page over all nights: what it tells, that hostile text does nothing, and that equal nights give equal bytes."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from kindex.core.files import pretty_json, read_json
from kindex.core.layout import Layout
from kindex.core.nights import History, Night, read_history
from kindex.morning.page import render, write
from kindex.morning.page.days import span
from kindex.morning.page.durations import charts, of_night, table
from kindex.morning.page.table import rows
from kindex.morning.page.timeline import marks, taken_back, told_counts
from kindex.morning.page.trends import Trend, by_night, chart, quarantine, row, trends
from tests.morning import made_up

VOID = {"meta", "br", "wbr"}


class Balanced(HTMLParser):
    """Fails at a tag that is not closed, or closed without being open."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.seen = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def parsed(page: str) -> Balanced:
    found = Balanced()
    found.feed(page)
    assert found.open == []
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 30, pytest.param(400, marks=pytest.mark.slow)])
def test_any_number_of_nights_is_a_whole_page_without_an_outside(tmp_path, count):
    page = render(made_up.history(tmp_path, count))
    found = parsed(page)
    tags = {tag for tag, _ in found.seen}
    assert not tags & {"script", "link", "iframe", "img", "object", "form", "base"}
    assert not re.search(r"(https?:)?//[a-z]|url\(|@import|NaN|\bnan\b(?! )", page.replace("vectors nan", ""))
    policy = next(attrs["content"] for tag, attrs in found.seen if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "script-src" not in policy
    assert not any(name.startswith("on") or name == "style" for _, attrs in found.seen for name in attrs)
    for tag, attrs in found.seen:
        for name in ("x", "y", "cx", "cy", "width", "height") if tag in ("rect", "circle", "text") else ():
            assert -30 <= float(attrs.get(name, 0)) <= 2000
    ids = [attrs["id"] for _, attrs in found.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for tag, attrs in found.seen if tag == "a"]
    assert all(link[0] == "#" and link[1:] in ids for link in links)
    assert len(page) < 2_000_000


def test_equal_nights_give_equal_bytes_and_an_equal_page_is_not_written_again(tmp_path):
    first, second = made_up.write(tmp_path / "a", 40), made_up.write(tmp_path / "b", 40)
    assert write(first).read_bytes() == write(second).read_bytes()
    before = (first.nights / "index.html").stat().st_ino
    write(first)
    assert (first.nights / "index.html").stat().st_ino == before
    assert str(tmp_path) not in (first.nights / "index.html").read_text()


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    layout = made_up.write(tmp_path, 3)
    path = sorted(layout.nights.glob("*.json"))[-1]
    raw = read_json(path)
    run = raw["runs"][0]
    run["outcome"] = "failed"
    run["troubles"] = [[3, made_up.HOSTILE]]
    run["models"][made_up.HOSTILE] = {
        **run["models"]["scenes-captions"],
        "version": made_up.HOSTILE,
        "live": made_up.HOSTILE,
        "built": made_up.HOSTILE,
        "headline": {"metric": made_up.HOSTILE, "value": 0.5},
        "numbers": {made_up.HOSTILE: 0.5},
    }
    run["models"][made_up.HOSTILE]["verdict"]["lines"].append(
        made_up.line(made_up.HOSTILE, f"at least {made_up.HOSTILE}", 0.5, 1)
    )
    run["catalogues"][made_up.HOSTILE] = run["catalogues"]["digits"]
    run["models"]["scenes-captions"]["stages"][0]["stage"] = made_up.HOSTILE
    path.write_bytes(pretty_json(raw))
    page = render(read_history(layout.nights))
    found = parsed(page)
    assert "script" not in {tag for tag, _ in found.seen} and "<script" not in page
    assert "\u202e" not in page and "\x00" not in page
    assert any("<script>alert(1)</script>\\u202e\\u0000" in text for text in found.texts)


@pytest.mark.parametrize("junk", [None, 7, "text", [], [None, 3, "x"], {"a": []}, float("inf"), True])
def test_parts_of_another_kind_cost_their_figures_only(junk):
    fields = ("models", "catalogues", "troubles", "outcome", "total", "started", "seconds")
    inner = ("stages", "verdict", "headline", "numbers", "live", "withdrawn", "version", "outcome", "built", "refresh", "rows")
    runs = [{name: junk} for name in fields]
    for name in inner:
        runs.append({"outcome": "done", "models": {"m": {"outcome": "live", name: junk}}, "catalogues": {"c": {name: junk}}})
    runs += [{"models": {"m": {"outcome": "held", "verdict": {"lines": junk}}}}]
    history = History(tuple(Night(f"2026-01-{place + 1:02d}", (run,)) for place, run in enumerate(runs)))
    parsed(render(history))


def test_a_report_is_linked_only_while_its_release_is_there(tmp_path):
    layout = made_up.write(tmp_path, 3)
    page = layout.releases("modules-pairs") / "v0002" / "notes" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("report")
    text = write(layout).read_text()
    assert re.findall(r'href="(\.\.[^"]*)"', text) == ["../../releases/modules-pairs/v0002/notes/report.html"]
    assert (layout.nights / "../../releases/modules-pairs/v0002/notes/report.html").resolve() == page


def test_the_timeline_remembers_the_strongest_and_sees_rollbacks(tmp_path):
    entries = [
        {"outcome": "live", "version": "v0001", "live": "v0001"},
        {"outcome": "held", "version": "v0002", "live": "v0001"},
        {"outcome": "live", "version": "v0003", "live": "v0003"},
        {"outcome": "unchanged", "version": "v0003", "live": "v0001", "withdrawn": ["v0003"]},
        {"outcome": "live", "version": "v0004", "live": "v0004", "withdrawn": ["v0003"]},
        {"outcome": "live", "version": "v0005", "live": "v0005", "withdrawn": ["v0003", "v0004"]},
        {"outcome": "failed", "live": "v0005", "withdrawn": ["v0003", "v0004"]},
    ]
    nights = [Night(f"2026-01-{place + 1:02d}", ({"models": {"m": entry}},)) for place, entry in enumerate(entries)]
    nights.append(Night("2026-01-08", tuple({"models": {"m": {"outcome": name}}} for name in ("live", "failed", "unchanged"))))
    found = marks(History(tuple(nights)), "m")
    assert [mark.outcome for mark in found] == ["live", "held", "live", "unchanged", "live", "live", "failed", "live"]
    assert [mark.back for mark in found] == ["", "", "", "v0003", "", "v0004", "", ""]
    assert told_counts(found) == "5 released, 1 held, 1 failed, 1 unchanged, 2 rolled back"
    assert taken_back({}, {}) == taken_back({"live": "x"}, {"live": "v0001"}) == ""


def test_durations_are_of_all_runs_of_a_date(tmp_path):
    stages = [{"stage": "train", "seconds": 10.0}, {"stage": "unheard", "seconds": 1.0}]
    run = {
        "total": 15.0,
        "models": {"m": {"stages": stages}},
        "catalogues": {"c": {"stages": [{"stage": "ingest", "seconds": 2.0}]}},
    }
    spent = of_night(Night("2026-01-01", (run, {"total": 3.0}, {})))
    assert (spent["train"], spent["ingest"], spent["beside"]) == (10.0, 2.0, 1.0 + 2.0 + 3.0)
    assert table([spent])[-1] == {"name": "all", "cells": ["18.0 s"] * 3, "ran": 1, "share": ""}
    history = made_up.history(tmp_path, 30)
    assert len(charts(history, [of_night(night) for night in history.nights])) == 2  # one full build among small nights
    history = History(history.nights[1:10])
    assert len(charts(history, [of_night(night) for night in history.nights])) == 1


def test_trends_have_the_gates_numbers_with_their_limits(tmp_path):
    history = made_up.history(tmp_path, 40)
    found = {trend.name: trend for trend in trends(marks(history, "modules-pairs"))}
    assert list(found) == ["link_recall_at_10", "index_recall_at_10", "neighbour_churn_at_10"]  # no health line: none failed
    recall = found["link_recall_at_10"]
    assert list(recall.limits) == ["beats popularity_link_recall_at_10 by 0.05", "not worse than live by more than 0.02"]
    assert recall.failed == 2 and sum(not passed for _, _, passed in recall.values) == 1
    told = row(recall)
    assert told["rules"][1] == {"rule": "not worse than live by more than 0.02", "limit": "0.385"} and told["failed"] == 2
    drawn = chart(recall, [night.date for night in history.nights])
    assert drawn.count('class="missed"') == 1 and drawn.count('class="limit"') == 2
    nights = by_night(marks(history, "modules-pairs"), list(found.values()))
    assert nights["columns"] == ["link recall@10", "index recall@10", "neighbour churn@10"]
    assert nights["rows"][-1]["date"] == "2025-10-18" and nights["rows"][0]["built"] == "delta, same space"
    share, passed = quarantine(history, "modules")
    assert passed.values[-1][1] == 9000 + 60_000 + 81 * 39 and row(share)["last"].endswith("%")


def test_the_table_says_why_a_night_failed_or_was_held(tmp_path):
    history = made_up.history(tmp_path, 30)
    lanes = {model: marks(history, model) for model in history.models()}
    found = {line["date"]: line for line in rows(history, lanes, ())}
    assert found["2025-11-04"]["outcome"] == "held" and found["2025-11-07"]["outcome"] == "failed"
    held = found["2025-11-04"]["troubles"]
    assert held[0].startswith("digits-autoencoder: link_recall_at_10 beats popularity_link_recall_at_10 by 0.05: 0.2")
    assert found["2025-11-07"]["troubles"] == ["ingest@digits: images.parquet is not a Parquet file, row 20"]
    assert found["2025-11-05"]["troubles"] == [] and next(iter(found)) == "2025-11-16"


def test_a_share_has_no_room_above_one():
    drawn = chart(Trend("shadow_overlap_at_10", [("2026-01-01", 0.95, True)]), ["2026-01-01"])
    assert ">1<" in drawn and ">1.5<" not in drawn and "shadow overlap@10 over 1 nights: last 0.950" in drawn


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2026-01-05", "2026-01-05", ["5 Jan"]),
        ("2026-01-30", "2026-02-02", ["30 Jan", "2 Feb"]),
        ("2025-10-18", "2026-11-21", ["Nov 2025", "Jan 2026", "Mar", "May", "Jul", "Sep", "Nov"]),
    ],
)
def test_dates_have_their_place_by_the_calendar(first, last, labels):
    days = span([first, last], 100, 900)
    ticks = days.ticks(110 if len(labels) > 3 else 64)
    assert [told for _, told in ticks][: len(labels)] == labels
    places = [x for x, _ in ticks]
    assert all(b - a >= 50 for a, b in pairwise(places)) and 100 <= days.x(first) <= days.x(last) <= 900


def test_an_empty_folder_gets_a_page_that_says_so(tmp_path):
    assert "No night has been told yet" in write(Layout(tmp_path)).read_text()
    (tmp_path / "var" / "nights" / "2026-01-01.json").write_text("{")
    assert "var/nights/2026-01-01.json" in write(Layout(tmp_path)).read_text()
