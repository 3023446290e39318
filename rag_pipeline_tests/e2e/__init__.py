"""The whole system from outside: the real `rag-pipeline up`, over HTTP, as a user would."""
