"""The edge process: what stands between people and a cluster, as a client of it.

It may run beside a broker, where `pocketmq up` starts it, or alone in front of any cluster.
"""
