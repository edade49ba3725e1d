"""What is ours in Dataverse's platform tables: service endpoint, steps, images, solution.

In comes where notifications go and which tables are mapped, out go the rows that should be there, compared with those
that are. Read `steps.py` first, then `planning.py`.
"""
