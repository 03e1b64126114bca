"""SQL92 filters: expressions over a message's properties, in Apache RocketMQ's language."""

from pocketmq.filtering.sql.filters import SqlFilter, compile_sql

__all__ = ["SqlFilter", "compile_sql"]
