"""Tests of `rag_pipeline.cli`."""
