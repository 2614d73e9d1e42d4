"""Simulated customers, baristas and an attacker: `cafe rush` and its parts."""
