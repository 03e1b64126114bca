"""The SDK: producers and consumers for RocketMQ from 4.9 on. Import its names from `pocketmq`."""
