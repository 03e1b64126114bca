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
const senders = new Map();

function print(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

async function producer(group = 'interop_producer') {
  if (!senders.has(group)) {
    const sender = new Producer({ ...shared, producerGroup: group, sendMsgTimeout: 30000 });
    sender.on('error', err => logger.error(err));
    senders.set(group, sender);
    await sender.ready();
  }
  return senders.get(group);
}

function sendResult(body, result) {
  return {
    body,
    status: result.sendStatus,
    message_id: result.msgId,
    queue: result.messageQueue.queueId,
    broker: result.messageQueue.brokerName,
    queue_offset: result.queueOffset,
  };
}

async function sendOne(request, item) {
  const message = new Message(request.topic, item.tags || '', item.body);
  Object.assign(message.properties, item.properties);
  if (item.keys) message.keys = [item.keys];
  if (item.delay_level) message.delayTimeLevel = item.delay_level;
  // The client knows levels only, but passes on any property.
  if (item.delay_ms) message.properties.TIMER_DELAY_MS = String(item.delay_ms);
  if (item.deliver_ms) message.properties.TIMER_DELIVER_MS = String(item.deliver_ms);
  // Messages of one shard go to one queue.
  if (item.shard) message.shardingKey = item.shard;
  return sendResult(item.body, await (await producer(request.group)).send(message));
}

async function send(request) {
  if (request.mode === 'async') {
    return { sent: await Promise.all(request.messages.map(item => sendOne(request, item))) };
  }
  const sent = [];
  for (const item of request.messages) sent.push(await sendOne(request, item));
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
    properties: message.properties,
    reconsume_times: message.reconsumeTimes,
    born_ms: Number(message.bornTimestamp),
    stored_ms: Number(message.storeTimestamp),
    heard_ms: Date.now(),
  };
}

const starts = { first: 'CONSUME_FROM_FIRST_OFFSET', last: 'CONSUME_FROM_LAST_OFFSET', timestamp: 'CONSUME_FROM_TIMESTAMP' };

// Local time, which the client takes it for.
function seconds(ms) {
  const moment = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return moment.toISOString().replace(/[-:T]/g, '').slice(0, 14);
}

// Counts down how often the message with a body is still to be refused; -1 is for ever, "*" all others.
function takeRefusal(refuse, body) {
  const left = body in refuse ? refuse[body] : refuse['*'] || 0;
  if (left > 0) refuse[body] = left - 1;
  return left !== 0;
}

async function startConsumer(request) {
  const refuse = request.refuse || {};
  const filter = request.sql ? { expressionType: 'SQL92', subString: request.sql } : request.tags || '*';
  const consumer = new Consumer({
    ...shared,
    consumerGroup: request.group,
    instanceName: `${request.name}_${process.pid}`,
    isBroadcast: request.model === 'broadcasting',
    consumeFromWhere: starts[request.from || 'first'],
    ...(request.from_ms ? { consumeTimestamp: seconds(request.from_ms) } : {}),
    ...(request.max_reconsume ? { maxReconsumeTimes: request.max_reconsume } : {}),
  });
  consumer.on('error', err => logger.error(err));
  consumer.subscribe(request.topic, filter, async message => {
    const refused = takeRefusal(refuse, message.body.toString());
    print({ event: 'message', consumer: request.name, message: describe(message) });
    if (request.stall) await new Promise(() => {});
    // `ACTION_RETRY` would be lost on a message that came back before.
    if (refused) throw new Error(`refused ${message.body}`);
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
  for (const sender of senders.values()) await sender.close();
  process.exit(0);
}

main();
