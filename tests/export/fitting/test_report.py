from polyseme.export.fitting.report import cell


def test_a_class_breaks_no_table():
    assert cell("a|b\n[c](d) `e` <f>\\") == "a\\|b?\\[c\\](d) \\`e\\` \\<f>\\\\"
