"""The heart: orders, their one queue, and the Dispatcher, which owns them all."""
