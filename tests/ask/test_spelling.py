"""Close spellings: in the order that a person expects, and quickly."""

import time

from kindex.ask.spelling import close_spellings

IDS = ["torch.optim.adam", "torch.optim.adamw", "adam.cli", "json", "json.decoder", "Json", "collections.abc", "x.adam_tools"]


def test_case_then_last_parts_then_parts_then_letters():
    assert close_spellings("JSON", IDS) == ["Json", "json", "json.decoder"]
    assert close_spellings("adam", IDS) == ["torch.optim.adam", "adam.cli", "x.adam_tools", "torch.optim.adamw"]
    assert close_spellings("optim.adam", IDS)[0] == "torch.optim.adam"


def test_misspelt_ids_are_found_and_strange_ones_are_not():
    assert close_spellings("torch.optm.adam", IDS)[0] == "torch.optim.adam"
    assert close_spellings("colections.abc", IDS) == ["collections.abc"]
    assert close_spellings("qqqq", IDS) == []
    assert close_spellings("", IDS) == []
    assert close_spellings("???", IDS) == []


def test_ten_thousand_ids_take_little_time():
    ids = [f"package{number % 97}.module{number % 13}.name{number}" for number in range(10_000)]
    began = time.process_time()
    assert close_spellings("pakage5.module3.nme9801", ids)
    assert time.process_time() - began < 1.0
