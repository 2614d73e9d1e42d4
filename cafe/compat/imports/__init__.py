"""Imports of other systems' exports, each in one transaction."""
