"""An order service on RocketMQ."""
