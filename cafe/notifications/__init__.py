"""Notifications: tell a provider of each change of a basket's order, and the Notifier."""
