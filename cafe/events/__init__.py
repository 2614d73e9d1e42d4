"""What is live: `GET /events` of both apps, as server-sent events."""
