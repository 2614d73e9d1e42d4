"""Tips: what customers give, and which barista gets it."""
