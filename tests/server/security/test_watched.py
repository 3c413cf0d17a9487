from polyseme.server.security.watched import WatchedFiles


def test_files_are_looked_at_once_a_second_and_not_in_every_call(tmp_path):
    file = tmp_path / "value"
    file.write_text("0")
    reads = []

    def read():
        reads.append(now)
        return file.read_text()

    now = 1000.0
    watched = WatchedFiles([file], read, lambda: now)
    for number, now in enumerate((1000.0, 1000.9, 1001.0, 1001.5, 1001.9, 1002.5), 1):
        file.write_text("x" * number)
        assert watched.value == {1000.0: "0", 1000.9: "0", 1002.5: "x" * 6}.get(now, "xxx")
    assert reads == [1000.0, 1001.0, 1002.5]
