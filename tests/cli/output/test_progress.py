from polyseme.cli.output.progress import step_line


def test_steps_in_a_pipe_are_lines_on_stderr(capsys):
    with step_line() as show:
        show("reading")
        show("writing")
    assert capsys.readouterr() == ("", "reading\nwriting\n")
