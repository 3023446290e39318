"""Confirming deletions that the guard holds back."""

from rag_pipeline.ledger import collections, documents
from rag_pipeline.ledger.engine import Ledger


def confirm_deletions(ledger: Ledger, collection: str) -> int:
    """Let every vanished document of the collection be deleted; returns how many that are.

    Raises:
        CollectionNotFoundError: there is no such collection.
    """
    with ledger.begin() as connection:
        collections.get(connection, collection)
        vanished = [document.document_id for document, _moment in documents.list_vanished(connection, collection)]
        documents.want_deleted(connection, vanished)
        collections.set_held_deletions(connection, collection, 0, None)
    return len(vanished)
