"""What a person can ask for; the terminal, the pages and the doors call these.

Five rooms: `coupling`, `synchronizing`, `following` (what became of it), `mappings`, `connection`. In come names and
choices, out go values that say what was done or would be (`result.py`). Read `result.py` first, then the room you need;
`procedures.py` lists the commands that run as tasks.
"""
