"""The sample collection that a first start puts into the default uploads folder."""

import shutil
from importlib import resources
from pathlib import Path

from rag_pipeline.settings import Settings

COLLECTION_FOLDER = "samples"


def wants_samples(settings: Settings) -> bool:
    """Whether this is a first start into a default, empty uploads folder. Never where the user named the folder."""
    if "uploads_dir" in settings.model_fields_set:
        return False
    if settings.data_dir.is_dir() and any(settings.data_dir.iterdir()):
        return False
    return not settings.uploads_dir.is_dir() or not any(settings.uploads_dir.iterdir())


def copy_samples(uploads_dir: Path) -> None:
    """`uploads_dir`/samples holds the sample documents, written for this project."""
    with resources.as_file(resources.files("rag_pipeline") / "samples") as samples:
        shutil.copytree(
            samples,
            uploads_dir / COLLECTION_FOLDER,
            ignore=shutil.ignore_patterns("*.py", "__pycache__"),
            copy_function=shutil.copyfile,  # plain, new files: whatever rights and times the installation had
        )
