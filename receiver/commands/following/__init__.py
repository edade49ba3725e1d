"""What became of it: coupled records in error, jobs, history with undo, notifications, a record's card.

In come a mapping or a record, out go rows to show, and requests to try again. Read `coupled_errors.py` first.
"""
