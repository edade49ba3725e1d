"""The Dataverse side: sign-in, Web API, its answers and what they mean, its tables.

In come core values, out go requests, and core values again. Read `client.py` first; `web_api.py` sends one request.
"""
