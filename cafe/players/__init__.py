"""Customers, baristas and an attacker to play with: `cafe rush` and its parts."""
