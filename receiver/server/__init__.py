"""The processes: gunicorn's settings and worker, our worker, the tour.

In come settings, out go processes that run until they are told to stop. Read `worker.py` first.
"""
