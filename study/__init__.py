"""The replication study: which experiments it is made of, how they are run and put together."""
