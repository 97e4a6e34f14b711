"""The service spec: what a service's own stack tells Crossfade about it."""
