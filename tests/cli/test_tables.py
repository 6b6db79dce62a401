"""Tables that fit any terminal: ids and addresses never break."""

import pytest

from vclab.cli.tables import Column, Fit, cells, cut, fold, lay_out, pairs_of

ID, ADDRESS = "3a4b5c6d7e8", "203.0.113.216"
COLUMNS = (Column("ID"), Column("TITLE", 2, Fit.CUT), Column("ADDRESS", 1), Column("REASON", fit=Fit.FOLD))
ROWS = [
    (ID, "Debian 12, server", ADDRESS, "the host esx1.example.org does not answer at 203.0.113.1, and rests"),
    ("9z8y7x6w5v4", "数据库服务器 ☃ naïve", "2001:db8::1", "空间不足"),
]


def test_text_is_as_wide_as_a_terminal_shows_it() -> None:
    assert [cells(text) for text in ("abc", "数据", "e\u0301", "☃", "")] == [3, 4, 1, 1, 0]
    assert cut("数据库服务器", 12) == "数据库服务器"
    assert cut("数据库服务器", 11) == "数据库服务…"
    assert cut("数据库服务器", 10) == "数据库服…"
    assert fold("one two three", 7) == ["one two", "three"]
    assert fold(f"at {ADDRESS}", 5) == ["at", ADDRESS]


@pytest.mark.parametrize("width", range(20, 130))
def test_no_line_is_longer_than_the_terminal_and_no_word_breaks(width: int) -> None:
    laid = lay_out(COLUMNS, ROWS, width)
    assert all(cells(line) <= width for line in laid.lines), "the longest word needs 20, below its row"
    text = "\n".join(laid.lines)
    assert ID in text
    for whole in (ADDRESS, "2001:db8::1"):
        assert whole in text or "ADDRESS" in laid.dropped
    for word in " ".join(row[-1] for row in ROWS).split():
        assert word in text.split(), "what must be read is never left out"


def test_columns_drop_out_one_after_the_other() -> None:
    dropped = {lay_out(COLUMNS, ROWS, width).dropped for width in range(20, 130)}
    assert dropped == {(), ("TITLE",), ("TITLE", "ADDRESS")}
    assert lay_out(COLUMNS, ROWS, 120).dropped == ()


def test_a_column_that_says_nothing_goes_first_and_unmentioned() -> None:
    columns = (Column("ID"), Column("ADDRESS", drop=2), Column("NOTE", drop=1))
    laid = lay_out(columns, [(ID, ADDRESS, "")], 28)
    assert (laid.lines[1], laid.dropped) == (f"{ID}  {ADDRESS}", ())


def test_in_a_pipe_nothing_is_cut() -> None:
    long = "x" * 5000
    laid = lay_out(COLUMNS, [(ID, long, ADDRESS, f"{long} {long}")], None)
    assert laid.lines[1] == f"{ID}  {long}  {ADDRESS}  {long} {long}"


def test_a_cell_is_one_line_whatever_was_typed() -> None:
    assert lay_out([Column("A")], [("one\ntwo\x1b[31m",)], None).lines == ("A", "one two [31m")
    assert lay_out([Column("A"), Column("B")], [], 80).lines == ("A  B",)


def test_fields_are_folded_between_words() -> None:
    pairs = [
        ("Address", ADDRESS),
        ("Nothing", ""),
        ("Reason", "the host does not answer, and so it is tried elsewhere"),
    ]
    assert pairs_of(pairs, None) == [f"Address  {ADDRESS}", f"Reason   {pairs[2][1]}"]
    assert pairs_of(pairs, 40) == [
        f"Address  {ADDRESS}",
        "Reason   the host does not answer, and",
        "         so it is tried elsewhere",
    ]
