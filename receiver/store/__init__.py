"""The company's own database: the service tables (prefix `receiver_`) and the local tables beside them."""
