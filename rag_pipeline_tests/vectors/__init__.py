"""Tests of `rag_pipeline.vectors`."""
