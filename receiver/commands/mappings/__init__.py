"""Integration Table Mappings as an administrator changes them: by switches, by file, by company.

In come changes asked for, out go mappings stored, or the problems that keep them from it. Read `change_mapping.py`
first.
"""
