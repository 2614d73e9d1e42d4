"""The servers that the café is measured against."""
