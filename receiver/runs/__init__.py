"""Many records: what is asked of them, whole mappings, tasks, edits of local records.

In come a mapping and a direction, or records by key; out go their outcomes, page by page, in the same lanes as
notifications. Read `carry_out.py` first, then `mapping_run.py`.
"""
