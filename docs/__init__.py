"""Pages to read, the examples that they show, and what generates parts of them."""
