"""The stages of a run, one module per asset. Each asks what its documents lack and closes that gap.

A stage takes a `Slice`, the documents claimed together, does its part for those that stand at it, and leaves
everything it did in the ledger: a run that dies anywhere is run again and goes on where it stopped.
"""
