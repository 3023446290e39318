"""Tests of `rag_pipeline.extraction`."""
