"""HTTP/1.1 servers for one ASGI application each: hypercorn, with connections of our own.

From the outside to the inside: `serve`, the entry point, accepts; `connection` lives from accept to
close on a `socket_stream`; `exchange` calls the application for one request; `request` and
`response` are its bytes. Nothing here knows the café; `context` declares what the caller passes in.
"""
