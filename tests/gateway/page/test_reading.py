"""What a model reads, and how much of it."""


def test_more_tokens_than_the_page_shows_are_refused_before_they_are_run(gateway, server):
    span = {"sentence": 0, "start": 0, "end": 1}
    with server.faults.counted() as runs:
        for path, more in (("words", {}), ("spans", span)):
            found = gateway.ask(f"/page/{path}", {"sentences": ["a " * 120] * 3, **more})
            assert (found.status, found.error["message"]) == (400, "sentences have 366 tokens; limit 256")
        assert runs == []
        assert gateway.ask("/page/spans", {"sentences": ["a"], **span}).status == 200
        assert runs
