"""The page of a validation opens offline and lets nothing from the data out of its text."""

import json
import re

from kindex.checks.page import page
from kindex.checks.run import Outcome

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"
SUMMARY = {
    "rows": {"items": {"in": 1234, "passed": 1200, "refused": 34, "refused_share": 0.027553}},
    "refused_by_rule": {"items": {"id is missing": 34}},
    "examples": [{"table": "items", "row": 7, "rule": "id is missing", "value": EVIL, "origin": EVIL}],
}
RESULT = {"rule": EVIL, "expectation": "expect_column_values_to_not_be_null", "checked": 1234, "refused": 34, "success": False}


def test_hostile_text_is_escaped_and_the_data_are_embedded_whole():
    text = page("books", SUMMARY, {"items": Outcome(results=[RESULT])}, [f"items: {EVIL}"])
    assert text.count("<script") == 1 and "<img" not in text and "http" not in text
    embedded = re.search(r'id="validation">(.*?)</script>', text, re.S)
    assert embedded and json.loads(embedded[1])["summary"] == SUMMARY
    assert "1,234" in text and "2.76%" in text and "kindex quarantine books" in text


def test_verdict():
    assert ">passed</p>" in page("books", SUMMARY, {}, [])
    assert ">passed</p>" not in page("books", SUMMARY, {}, ["too many"])
