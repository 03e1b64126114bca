"""Official RocketMQ clients, built on demand and worked through drivers; the servers they are tried against."""
