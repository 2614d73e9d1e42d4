"""HTTP conventions that all departments share."""
