"""The versions. Rule: one that was released never changes; the next one does."""
