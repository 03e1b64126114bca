"""The web console: an HTTP API over `pocketmq.admin`, and the pages that use it.

It is a client of the cluster like any other, so it serves a broker of ours and Apache's alike.
"""
