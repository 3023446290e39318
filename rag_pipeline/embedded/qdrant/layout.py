"""Where the parts of one collection lie in its folder. Nobody else spells these names.

collections/<name>/config.json    as REST answers it
collections/<name>/shard/         the engine's
"""

from pathlib import Path

FIRST = "shard"
"""The shard's folder in a collection that is new."""


def config_file(folder: Path) -> Path:
    """The configuration of the collection in `folder`."""
    return folder / "config.json"


def current_shard(folder: Path) -> Path:
    """The folder that holds the points of the collection in `folder`."""
    return folder / FIRST
