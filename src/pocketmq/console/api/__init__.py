"""The endpoints, one file a noun, thin over `pocketmq.admin`."""
