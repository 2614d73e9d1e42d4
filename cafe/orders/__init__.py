"""The heart: orders, their one queue, and the Dispatcher who owns them all."""
