"""Tests of `rag_pipeline.embedding`."""
