"""Tests of `rag_pipeline.ledger`."""
