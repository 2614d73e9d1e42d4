"""What operators look at: metrics, health, the actors' tree, logs and reports."""
