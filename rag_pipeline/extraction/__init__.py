"""Bytes become a Document here, and nothing a file contains can hurt the one who asks.

- `snapshot`: a private copy of a source file, hashed while it is taken.
- `sandbox`: `Extractor`, the parent's side; `child` and `confinement`: the killable process that reads hostile bytes.
- `wire`: how those two talk; `reading`: what a format module is given and gives back.
- `sniff`, `registry`: which format the content is, and which module of `formats` reads it.
- `decoding`, `evidence`, `alphabets`, `cleaning`, `language`: what is true of text in every format.

A new format is one module in `formats` and one line in `registry` (and its mark in `sniff`, when nothing names it yet).
What a document is lives in `domain.documents`; which document is due, in `ledger`; cutting text, in `domain.chunking`.
"""
