"""The Dataverse side: its tables, its sign-in, its Web API."""
