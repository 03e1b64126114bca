package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const sendSeconds = 30 * time.Second

// An outgoing message; messages of one shard go to one queue.
type outgoing struct {
	Body       string            `json:"body"`
	Tags       string            `json:"tags"`
	Keys       string            `json:"keys"`
	Properties map[string]string `json:"properties"`
	DelayLevel int               `json:"delay_level"`
	DelayMs    int64             `json:"delay_ms"`
	DeliverMs  int64             `json:"deliver_ms"`
	Shard      string            `json:"shard"`
	Local      string            `json:"local"`
}

func (item outgoing) message(topic string) *primitive.Message {
	message := primitive.NewMessage(topic, []byte(item.Body))
	message.WithProperties(item.Properties)
	if item.Tags != "" {
		message.WithTag(item.Tags)
	}
	if item.Keys != "" {
		message.WithKeys([]string{item.Keys})
	}
	if item.DelayLevel > 0 {
		message.WithDelayTimeLevel(item.DelayLevel)
	}
	// The client knows levels only, but passes on any property.
	if item.DelayMs > 0 {
		message.WithProperty("TIMER_DELAY_MS", strconv.FormatInt(item.DelayMs, 10))
	}
	if item.DeliverMs > 0 {
		message.WithProperty("TIMER_DELIVER_MS", strconv.FormatInt(item.DeliverMs, 10))
	}
	if item.Shard != "" {
		message.WithShardingKey(item.Shard)
	}
	return message
}

// selector sends messages of a shard to the queue of their shard and all others around the queues.
type selector struct {
	byShard, inTurn producer.QueueSelector
}

func (s selector) Select(m *primitive.Message, queues []*primitive.MessageQueue, last string) *primitive.MessageQueue {
	if m.GetShardingKey() != "" {
		return s.byShard.Select(m, queues, last)
	}
	return s.inTurn.Select(m, queues, last)
}

func (d *driver) producer(r request) (rocketmq.Producer, error) {
	group, traced := r.Group, r.Trace
	if group == "" {
		group = "interop_producer"
	}
	name := fmt.Sprintf("%s_%v%s", group, traced, r.AccessKey)
	if p := d.senders[name]; p != nil {
		return p, nil
	}
	options := []producer.Option{
		producer.WithNameServer([]string{d.nameServer}),
		producer.WithGroupName(group),
		producer.WithInstanceName(d.instance(name)),
		producer.WithQueueSelector(selector{producer.NewHashQueueSelector(), producer.NewRoundRobinQueueSelector()}),
		producer.WithRetry(2),
		producer.WithSendMsgTimeout(sendSeconds),
	}
	if r.AccessKey != "" {
		options = append(options, producer.WithCredentials(r.credentials()))
	}
	if traced {
		options = append(options, producer.WithTrace(d.traceConfig()))
	}
	p, err := rocketmq.NewProducer(options...)
	if err != nil {
		return nil, err
	}
	if err = p.Start(); err == nil {
		d.senders[name] = p
	}
	return p, err
}

func (d *driver) send(r request) (object, error) {
	p, err := d.producer(r)
	if err != nil {
		return nil, err
	}
	var messages []*primitive.Message
	for _, item := range r.Messages {
		messages = append(messages, item.message(r.Topic))
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendSeconds)
	defer cancel()
	sent := []object{}
	switch r.Mode {
	case "async":
		return d.sendAsync(ctx, p, messages)
	case "oneway":
		for _, m := range messages {
			if err = p.SendOneWay(ctx, m); err != nil {
				return nil, err
			}
		}
	case "batch":
		result, err := p.SendSync(ctx, messages...)
		if err != nil {
			return nil, err
		}
		sent = append(sent, sendResult("", result))
	default:
		for _, m := range messages {
			result, err := p.SendSync(ctx, m)
			if err != nil {
				return nil, err
			}
			sent = append(sent, sendResult(string(m.Body), result))
		}
	}
	return object{"sent": sent}, nil
}

func (d *driver) sendAsync(ctx context.Context, p rocketmq.Producer, messages []*primitive.Message) (object, error) {
	type outcome struct {
		body   string
		result *primitive.SendResult
		err    error
	}
	outcomes := make(chan outcome, len(messages))
	for _, m := range messages {
		body := string(m.Body)
		err := p.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			outcomes <- outcome{body, result, err}
		}, m)
		if err != nil {
			return nil, err
		}
	}
	sent := []object{}
	for range messages {
		select {
		case o := <-outcomes:
			if o.err != nil {
				return nil, o.err
			}
			sent = append(sent, sendResult(o.body, o.result))
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d asynchronous sends were answered", len(sent), len(messages))
		}
	}
	return object{"sent": sent}, nil
}

func sendResult(body string, result *primitive.SendResult) object {
	return object{
		"body": body, "status": map[bool]string{true: "SEND_OK"}[result.Status == primitive.SendOK],
		"message_id": result.MsgID, "offset_message_id": result.OffsetMsgID,
		"queue": result.MessageQueue.QueueId, "queue_offset": result.QueueOffset,
		"broker": result.MessageQueue.BrokerName,
	}
}
