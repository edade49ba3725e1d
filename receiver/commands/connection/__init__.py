"""The way to Dataverse: connection, role, keys, steps, button, and a doctor who looks at all of it.

In come settings and a person's choices, out go findings (`finding.py`) and what was registered. Read `connect.py`
first.
"""
