'use strict';

// Sends one message with the official Node client and waits until it comes back.

const { Consumer, Message, Producer } = require('ali-ons');

// The client wants an HTTP client, which it needs only to look up a name server.
const common = { nameSrv: process.argv[2] || '127.0.0.1:9876', httpclient: {} };

async function main() {
  const producer = new Producer({ ...common, producerGroup: 'hello_producer' });
  await producer.ready();
  const sent = await producer.send(new Message('HelloPocketMQ', 'new', 'hello from Node'));
  console.log('sent', sent.msgId);

  const consumer = new Consumer({
    ...common,
    consumerGroup: 'hello_node',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
  });
  const received = new Promise(resolve => {
    consumer.subscribe('HelloPocketMQ', 'new', async message => {
      console.log('received', message.body.toString());
      if (message.msgId === sent.msgId) resolve();
    });
  });
  await received;
  await consumer.close();
  await producer.close();
  process.exit(0);
}

main();
