"""Send three messages and consume them, without asyncio."""

import sys

from pocketmq.blocking import Consumer, Producer

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"

with Producer(NAME_SERVER, group="shop") as producer:
    for number in (1, 2, 3):
        receipt = producer.send("plain-orders", f"order {number}", keys=str(number))
        print(f"sent order {number}: {receipt.status.value}")

with Consumer(NAME_SERVER, group="billing", topics="plain-orders", start_from="first") as consumer:
    texts = sorted(message.text for message in consumer.messages(idle=1))
print("consumed", texts)
