"""A notification arrives: the door, its keys, and storing.

In comes a request of Dataverse's service endpoint, out goes 202 once it is stored, or a refusal. Read
`notification_door.py` first. What is made of it is the engine's business.
"""
