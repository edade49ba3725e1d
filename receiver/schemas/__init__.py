"""Wire to core values and back: what a body says, and where it is odd.

In come JSON and YAML, out go core values, with a list of what could not be read. Read `execution_context.py` first.
"""
