'use strict';

// Works the official Node client on behalf of the interop tests: one JSON request a line on standard input, one JSON
// answer a line on standard output, and an event line for each message a consumer receives.

const readline = require('readline');
const { Consumer, Message, Producer } = require('ali-ons');

const nameSrv = process.argv[2];
const consumers = new Map();
const warnings = new console.Console(process.stderr, process.stderr);
const logger = { info() {}, debug() {}, warn: warnings.warn, error: warnings.error };
// The client speaks through an HTTP client only when it looks its name server up, which we never ask of it.
const shared = {
  nameSrv, logger, httpclient: {}, rebalanceInterval: 1000, pollNameServerInteval: 1000, persistConsumerOffsetInterval: 1000,
};
let sender = null;

function print(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

async function producer() {
  if (!sender) {
    sender = new Producer({ ...shared, producerGroup: 'interop_producer' });
    sender.on('error', err => logger.error(err));
    await sender.ready();
  }
  return sender;
}

function sendResult(body, result) {
  return {
    body,
    status: result.sendStatus,
    message_id: result.msgId,
    queue: result.messageQueue.queueId,
    queue_offset: result.queueOffset,
  };
}

async function sendOne(topic, item) {
  const message = new Message(topic, item.tags || '', item.body);
  if (item.keys) message.keys = [item.keys];
  return sendResult(item.body, await (await producer()).send(message));
}

async function send(request) {
  if (request.mode === 'async') {
    return { sent: await Promise.all(request.messages.map(item => sendOne(request.topic, item))) };
  }
  const sent = [];
  for (const item of request.messages) sent.push(await sendOne(request.topic, item));
  return { sent };
}

function describe(message) {
  return {
    topic: message.topic,
    body: message.body.toString(),
    tags: message.tags,
    keys: message.keys,
    queue: message.queueId,
    queue_offset: Number(message.queueOffset),
    message_id: message.msgId,
  };
}

async function startConsumer(request) {
  const consumer = new Consumer({
    ...shared,
    consumerGroup: request.group,
    instanceName: `${request.name}_${process.pid}`,
    isBroadcast: request.model === 'broadcasting',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
  });
  consumer.on('error', err => logger.error(err));
  consumer.subscribe(request.topic, request.tags || '*', async message => {
    print({ event: 'message', consumer: request.name, message: describe(message) });
  });
  await consumer.ready();
  consumers.set(request.name, consumer);
  return {};
}

async function stopConsumer(request) {
  const consumer = consumers.get(request.name);
  consumers.delete(request.name);
  await consumer.close();
  return {};
}

const requests = { send, start_consumer: startConsumer, stop_consumer: stopConsumer };

async function answer(line) {
  const request = JSON.parse(line);
  try {
    const perform = requests[request.do];
    if (!perform) throw new Error(`unknown request ${request.do}`);
    print({ ...(await perform(request)), id: request.id });
  } catch (err) {
    print({ id: request.id, error: err.stack });
  }
}

async function main() {
  print({ event: 'ready' });
  for await (const line of readline.createInterface({ input: process.stdin })) await answer(line);
  for (const consumer of consumers.values()) await consumer.close();
  if (sender) await sender.close();
  process.exit(0);
}

main();
