"""`python -m rag_pipeline.cli`: the same as `rag-pipeline`, for callers that know which Python they want."""

from rag_pipeline.cli import main

if __name__ == "__main__":
    main()
