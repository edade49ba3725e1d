"""One record: coalesce, look, synchronize, write. The only room that asks `decide`.

In comes a leased lane with what waits in it, or what somebody asks of one record; out go the writes of both sides, the
coupling and the job. Read `process.py` first, then `look_at_lane.py` and `synchronize.py`, the main flow.
"""
