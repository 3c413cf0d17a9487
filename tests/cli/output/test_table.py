from polyseme.cli.output.table import print_table


def test_a_table_in_a_pipe_has_no_empty_lines(capsys):
    print_table(("a:", "b"), [("x", "1")])
    assert capsys.readouterr().out.splitlines() == ["| a | b |", "|---|---|", "| x | 1 |"]


def test_cells_and_captions_are_no_markup(capsys):
    print_table(("a:",), [("[red]x",)], caption="[b]y")
    assert capsys.readouterr().out.splitlines()[-2:] == ["| [red]x |", "[b]y"]
