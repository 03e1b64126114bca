"""Producers and consumers without `await`. Import their names from `pocketmq.blocking`."""
