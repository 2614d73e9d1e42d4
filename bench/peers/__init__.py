"""What the café is measured against."""
