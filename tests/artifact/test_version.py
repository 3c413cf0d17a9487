from importlib import metadata

from polyseme.artifact import own_version


def test_the_version_is_that_of_the_package():
    assert own_version() == metadata.version("polyseme")


def test_a_source_tree_without_an_installed_package_has_none(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert own_version() == "not installed"
