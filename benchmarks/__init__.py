"""What Crossfade is measured by: each part has its own `make bench-…`."""
