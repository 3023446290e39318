"""Tests of `rag_pipeline.api`."""
