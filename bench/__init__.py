"""The benchmark: PocketMQ, Apache RocketMQ and a C echo server under the same load, in the same run."""
