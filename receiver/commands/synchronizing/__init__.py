"""Synchronize Now, runs, full synchronization, verify: bring both sides in step, or prove that they are.

In come a mapping, records and a direction, out go results and findings. Read `synchronize_now.py` first;
`open_record.py` is what the button in Sales asks for.
"""
