"""A coffee shop as a server: customers order on one port, baristas work on the other."""
