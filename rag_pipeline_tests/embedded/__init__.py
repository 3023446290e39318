"""Tests of `rag_pipeline.embedded`."""
