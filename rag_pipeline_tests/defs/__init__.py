"""Tests of `rag_pipeline.defs`."""
