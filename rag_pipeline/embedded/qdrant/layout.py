"""Where the parts of one collection lie in its folder. Nobody else spells these names."""

from pathlib import Path

_CONFIG = "config.json"
_SHARD = "shard"


def config_file(collection_folder: Path) -> Path:
    """The collection's configuration as REST answers it."""
    return collection_folder / _CONFIG


def shard_folder(collection_folder: Path) -> Path:
    """The engine's files that are in use at present, or are to be in a folder that is being built."""
    return collection_folder / _SHARD
