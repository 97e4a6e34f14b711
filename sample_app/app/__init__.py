"""The sample application: what Crossfade releases in its demo and its tests."""
