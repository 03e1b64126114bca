package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const pullSeconds = 20 * time.Second

// refusals counts down how often the message with a body is still to be refused; -1 is for ever, "*" all others.
type refusals struct {
	sync.Mutex
	left map[string]int
}

func (r *refusals) take(body string) bool {
	r.Lock()
	defer r.Unlock()
	left, known := r.left[body]
	if !known {
		left = r.left["*"]
	}
	if left > 0 {
		r.left[body] = left - 1
	}
	return left != 0
}

func (r request) orderly() bool {
	return r.Listener == "orderly"
}

func (r request) selector() consumer.MessageSelector {
	switch {
	case r.SQL != "":
		return consumer.MessageSelector{Type: consumer.SQL92, Expression: r.SQL}
	case r.Tags != "":
		return consumer.MessageSelector{Type: consumer.TAG, Expression: r.Tags}
	}
	return consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}
}

func (d *driver) startPush(r request) (object, error) {
	model := consumer.Clustering
	if r.Model == "broadcasting" {
		model = consumer.BroadCasting
	}
	options := []consumer.Option{
		consumer.WithNameServer([]string{d.nameServer}),
		consumer.WithGroupName(r.Group),
		consumer.WithInstance(d.instance(r.Name)),
		consumer.WithConsumerModel(model),
		consumer.WithConsumerOrder(r.orderly()),
	}
	if r.AccessKey != "" {
		options = append(options, consumer.WithCredentials(r.credentials()))
	}
	switch r.From {
	case "last":
		options = append(options, consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset))
	case "timestamp":
		moment := time.UnixMilli(r.FromMs).Format("20060102150405")
		options = append(options,
			consumer.WithConsumeFromWhere(consumer.ConsumeFromTimestamp), consumer.WithConsumeTimestamp(moment))
	default:
		options = append(options, consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	}
	if r.SuspendMs > 0 {
		wait := time.Duration(r.SuspendMs) * time.Millisecond
		options = append(options, consumer.WithSuspendCurrentQueueTimeMillis(wait))
	}
	if r.MaxReconsume > 0 {
		options = append(options, consumer.WithMaxReconsumeTimes(r.MaxReconsume))
	}
	if r.Trace {
		options = append(options, consumer.WithTrace(d.traceConfig()))
	}
	c, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return nil, err
	}
	if err = c.Subscribe(r.Topic, r.selector(), d.listener(r)); err != nil {
		return nil, err
	}
	if err = c.Start(); err != nil {
		return nil, err
	}
	d.consumers[r.Name] = c
	return object{}, nil
}

type listen func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func (d *driver) listener(r request) listen {
	refused := &refusals{left: r.Refuse}
	if refused.left == nil {
		refused.left = map[string]int{}
	}
	return func(ctx context.Context, received ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range received {
			refuse := refused.take(string(m.Body))
			d.print(object{"event": "message", "consumer": r.Name, "message": describe(m)})
			switch {
			case r.Stall:
				select {}
			case refuse && r.orderly():
				return consumer.SuspendCurrentQueueAMoment, nil
			case refuse:
				if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
					concurrently.DelayLevelWhenNextConsume = r.DelayLevel
				}
				return consumer.ConsumeRetryLater, nil
			case r.Reply:
				if err := d.reply(m); err != nil {
					return consumer.ConsumeRetryLater, err
				}
			}
		}
		return consumer.ConsumeSuccess, nil
	}
}

func (d *driver) pullConsumer(r request, name string) (rocketmq.PullConsumer, error) {
	c, err := rocketmq.NewPullConsumer(
		consumer.WithNameServer([]string{d.nameServer}),
		consumer.WithGroupName(r.Group),
		consumer.WithInstance(d.instance(name)),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		return nil, err
	}
	if err = c.Subscribe(r.Topic, r.selector()); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// pull reads the topic with the polling consumer until it has the wanted number of messages, then a moment longer.
func (d *driver) pull(r request) (object, error) {
	c, err := d.pullConsumer(r, "pull")
	if err != nil {
		return nil, err
	}
	messages := []object{}
	deadline := time.Now().Add(pullSeconds)
	for time.Now().Before(deadline) {
		polled, err := c.Poll(context.Background(), 500*time.Millisecond)
		if consumer.IsNoNewMsgError(err) {
			if len(messages) >= r.Count {
				break
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, m := range polled.GetMsgList() {
			messages = append(messages, describe(m))
		}
		c.ACK(context.Background(), polled, consumer.ConsumeSuccess)
	}
	return object{"messages": messages}, c.Shutdown()
}

func (d *driver) queue(r request) (*primitive.MessageQueue, error) {
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver([]string{d.nameServer})))
	if err != nil {
		return nil, err
	}
	defer a.Close()
	queues, err := a.FetchPublishMessageQueues(context.Background(), r.Topic)
	if err != nil {
		return nil, err
	}
	for _, queue := range queues {
		if queue.QueueId == r.Queue {
			return queue, nil
		}
	}
	return nil, fmt.Errorf("topic %s has no queue %d", r.Topic, r.Queue)
}

// pullFrom reads one queue of the topic, from an offset on, until it has the wanted number of messages.
func (d *driver) pullFrom(r request) (object, error) {
	c, err := d.pullConsumer(r, "pull_from")
	if err != nil {
		return nil, err
	}
	queue, err := d.queue(r)
	if err != nil {
		return nil, err
	}
	messages := []object{}
	deadline := time.Now().Add(pullSeconds)
	for offset := r.Offset; len(messages) < r.Count && time.Now().Before(deadline); {
		result, err := c.PullFrom(context.Background(), queue, offset, 3)
		if err != nil {
			return nil, err
		}
		for _, m := range result.GetMessageExts() {
			messages = append(messages, describe(m))
		}
		offset = result.NextBeginOffset
	}
	return object{"messages": messages}, c.Shutdown()
}
