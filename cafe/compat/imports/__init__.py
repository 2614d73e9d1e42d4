"""Exports of other systems: read, checked, and made ours in one transaction."""
