"""hypercorn made safe: its configuration, binds, TLS and lifespans, with connections of our own.

`server.serve` is the way in. One connection is, from the socket inwards: `admission` (may it be),
`connection` (its deadlines and its end), `http1` (its bytes), `request` (the application's task),
`body` (what may be uploaded), then the application.
"""
