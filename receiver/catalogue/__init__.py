"""What there is today: the tables of Dataverse as this environment has them for us.

In comes Dataverse's metadata, stored as it was read; out goes a `Description` of each table, which mappings carry. Read
`described.py` first; `reading.py` asks Dataverse and keeps the answer.
"""
