"""Web conventions that all departments share."""
