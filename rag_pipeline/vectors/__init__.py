"""Qdrant, through `qdrant_client` over HTTP: `store` makes collections and aliases, `points` writes, `search` reads.

Qdrant is a projection of the ledger: nothing here decides what should exist.
"""
