"""Crossfade's workflow: ``domain`` decides, ``aws`` reads and writes, ``handlers`` join them."""
