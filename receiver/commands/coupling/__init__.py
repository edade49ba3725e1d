"""Set Up Coupling, Create, Match-Based Coupling, Delete Coupling: which record belongs to which row.

In come a mapping and a choice of records or rows, out go couplings made or ended, with a line for each. Read
`set_up_coupling.py` first.
"""
