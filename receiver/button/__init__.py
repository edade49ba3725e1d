"""The command *Business Central* on the forms of Dynamics 365 Sales: its script, its rows, its solution file."""
