"""Numbers on disk against the same numbers in an array."""

from pathlib import Path

import numpy as np
import pytest

from kindex.core.scratch import Scratch, by_part, column, occurrences


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, Scratch]:
    monkeypatch.setattr("kindex.core.scratch.ROWS", 7)
    values_N = np.random.default_rng(0).integers(-(2**31), 2**31, 100).astype(np.int32)
    made = Scratch(tmp_path / "made", np.int32)
    for start in (0, 60, 30):
        made[start : start + 30] = values_N[start : start + 30]
    made.append(values_N[90:])
    return values_N, made


@pytest.mark.parametrize("rows", [slice(None), slice(0, 0), slice(3, 50), slice(97, 200), slice(-4, None), slice(None, 1)])
def test_a_slice_is_that_of_an_array(both: tuple[np.ndarray, Scratch], rows: slice) -> None:
    np.testing.assert_array_equal(both[1][rows], both[0][rows])


@pytest.mark.parametrize("rows", [[], [5], [99, 0, 7, 7, 6, 50], list(range(100))])
def test_so_are_rows_by_number_in_any_order(both: tuple[np.ndarray, Scratch], rows: list[int]) -> None:
    row_K = np.array(rows, np.int64)
    np.testing.assert_array_equal(both[1][row_K], both[0][row_K])


def test_pieces_are_the_whole_and_nothing_has_a_name(both: tuple[np.ndarray, Scratch], tmp_path: Path) -> None:
    assert len(both[1]) == len(both[0])
    pieces = list(both[1].pieces())
    np.testing.assert_array_equal(np.concatenate(pieces), both[0])
    assert max(map(len, pieces)) == 7
    assert list((tmp_path / "made").iterdir()) == []


def test_rows_that_were_never_written_are_zeros_and_a_file_cut_short_is_an_error(tmp_path: Path) -> None:
    with Scratch(tmp_path, np.float64) as made:
        made.write(3, np.ones(2))
        assert made[:].tolist() == [0, 0, 0, 1, 1]
        made._file.truncate(8)
        with pytest.raises(OSError, match="ends at"):
            made.read(0, 5)


def test_a_column_is_an_array_where_no_folder_is_given(tmp_path: Path) -> None:
    assert isinstance(column(3, np.float32, None), np.ndarray)
    assert isinstance(column(3, np.float32, tmp_path), Scratch)


@pytest.mark.parametrize("parts", [[], [3], [2, 0, 2, 2, 5, 0], [1] * 9])
def test_rows_by_part_are_those_of_a_loop(parts: list[int]) -> None:
    found = [(part, row_K.tolist()) for part, row_K in by_part(np.array(parts, np.uint16), 6)]
    assert found == [(part, rows) for part in range(6) if (rows := [row for row, one in enumerate(parts) if one == part])]


def test_occurrences_are_counted_on_disk_as_in_memory(both: tuple[np.ndarray, Scratch]) -> None:
    row_N = both[0] % 11
    both[1][0:100] = row_N
    for column_N in (row_N, both[1]):
        assert occurrences(column_N, 13).tolist() == [row_N.tolist().count(number) for number in range(13)]
