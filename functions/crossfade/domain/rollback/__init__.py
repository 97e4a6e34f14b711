"""A rollback: what it finds to do, and where all traffic goes."""
