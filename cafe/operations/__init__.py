"""What operators look at: metrics, health, the tree of actors, logs, reports."""
