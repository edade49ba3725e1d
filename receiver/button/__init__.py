"""The command *Business Central* on the forms of Dynamics 365 Sales: its script, its rows, its solution file.

In comes where the receiver is reached, out go rows for Dataverse's platform tables, compared with those that are there.
Read `rows.py` first.
"""
