"""Benchmarks: each measures the café and its peer in one run and prints a ratio.

Rule: they measure and never assert. A time means something only as a ratio to a peer's on the same
machine in the same minute; so rounds are interleaved, and the median of the rounds counts.
"""
