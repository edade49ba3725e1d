"""The queue: a lane is one Dataverse row with work waiting; lease, waits, failure.

In come keys of lanes, out go leases that one worker holds at a time. Read `lane.py` first.
"""
