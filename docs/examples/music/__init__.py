"""Music in the shop: a department as docs/extending.md builds it."""
