"""A worker: a handler that is called on threads until the process is told to end."""

import sys

from pocketmq import ReceivedMessage
from pocketmq.blocking import Consumer, Producer

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"

producer = Producer(NAME_SERVER, group="shop")  # starts when it is first used
consumer = Consumer(NAME_SERVER, group="workers", topics="jobs", start_from="first")


@consumer.handler
def work(message: ReceivedMessage) -> None:
    """Do one job. Returning means done; raising means: try again later."""
    print("did", message.text)
    if message.text == "the last job":
        consumer.stop()  # a real worker runs until Ctrl-C or SIGTERM


producer.send("jobs", "the last job")
consumer.run()
print("finished what was in hand")
