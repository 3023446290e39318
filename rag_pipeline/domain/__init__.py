"""The rules, without any framework: standard library and numpy only.

A rule that needs a file, a model, a database or a clock does not live here: it gets the answer as an argument.
"""
