"""Wire to core values and back: what a body says, and where it is odd."""
