"""The company's own database: the service tables (prefix `receiver_`) and the local tables beside them.

In come core values, out go rows, and back. Read `models.py` first, our own tables; `local_tables.py` is the company's.
"""
