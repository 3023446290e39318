"""Tests of `rag_pipeline.services`."""
