"""The benchmark: PocketMQ, Apache RocketMQ and a C echo server under one load, in one run."""
