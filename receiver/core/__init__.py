"""The rules: pure functions over frozen values, standard library only.

In come both sides of a record as values, out come decisions. Read `decision.py` first; `values.py` says what a value
is.
"""
