"""The composition root: the only place that starts anything."""
