"""Music: customers wish for songs while they wait. A department as docs/extending.md builds it."""
