"""One module per format, each with `read(source) -> Reading`; only the child process imports them.

`registry` names them. A module raises `DocumentError` for what it recognises. It does not clean text, count characters
or tell languages: `reading` and `sandbox` do that once for all.
"""
