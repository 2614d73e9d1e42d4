"""Tests: they mirror the packages; `system` runs the real process over real sockets."""
