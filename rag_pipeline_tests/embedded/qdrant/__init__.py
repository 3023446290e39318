"""Tests of `rag_pipeline.embedded.qdrant`, through the real process and an unmodified `qdrant_client`."""
