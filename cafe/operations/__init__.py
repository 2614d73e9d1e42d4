"""For operators: metrics, health, the actors' tree, logs and reports."""
