"""One number for each text over all batches, in order of first appearance."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from kindex.core.codes import GROUP, Codes, coded_batches

texts = st.lists(st.sampled_from(["", "a", "b", "é", "zz", None]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, st.booleans()), max_size=8))
def test_codes_are_those_of_a_dictionary(parts):
    codes, known = Codes(), {}
    for part, encode in parts:
        array = pa.array(part, pa.string())
        [found_N] = codes.codes([array.dictionary_encode() if encode else array])
        assert found_N.dtype == np.int32
        assert found_N.tolist() == [-1 if text is None else known.setdefault(text, len(known)) for text in part]
    assert codes.texts.to_pylist() == list(known)


def test_columns_of_batches_may_share_codes():
    rng = np.random.default_rng(0)
    made = [
        pa.record_batch({name: [f"{v}" for v in rng.integers(0, 30 + number, 20)] for name in ("a", "b", "c")})
        for number in range(2 * GROUP + 1)
    ]
    both, own = Codes(), Codes()
    for batch, (a_N, b_N, c_N) in coded_batches(made, [("a", both), ("b", own), ("c", both)]):
        for name, codes, found_N in (("a", both, a_N), ("b", own, b_N), ("c", both, c_N)):
            assert codes.texts.take(pa.array(found_N)).to_pylist() == batch[name].to_pylist()
    assert len(set(both.texts.to_pylist())) == len(both)


def test_sorting_gives_ranks():
    codes = Codes()
    [code_N] = codes.codes([pa.array(["b", "é", "a", "B", "b"])])
    rank_V = codes.sort()
    assert codes.texts.to_pylist() == sorted(["b", "é", "a", "B"], key=str.encode)
    assert codes.texts.take(pa.array(rank_V[code_N])).to_pylist() == ["b", "é", "a", "B", "b"]
