"""Live streams: `GET /events` of both apps, as server-sent events."""
