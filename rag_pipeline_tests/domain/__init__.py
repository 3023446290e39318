"""Tests of `rag_pipeline.domain`."""
