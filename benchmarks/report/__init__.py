"""The report's time and memory: the real handler, over HTTP, against what answers as AWS does."""
