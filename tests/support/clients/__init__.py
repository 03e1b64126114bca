"""Official RocketMQ clients, worked through drivers, and the servers they are tried against."""
