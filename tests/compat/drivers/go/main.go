// The driver works the official Go client on behalf of the interop tests: one JSON request a line on standard input,
// one JSON answer a line on standard output, and an event line for each message a consumer receives.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

type outgoing struct {
	Body string `json:"body"`
	Tags string `json:"tags"`
	Keys string `json:"keys"`
}

type request struct {
	ID       int        `json:"id"`
	Do       string     `json:"do"`
	Name     string     `json:"name"`
	Group    string     `json:"group"`
	Topic    string     `json:"topic"`
	Tags     string     `json:"tags"`
	Mode     string     `json:"mode"`
	Model    string     `json:"model"`
	Count    int        `json:"count"`
	Messages []outgoing `json:"messages"`
}

type object map[string]any

type driver struct {
	nameServer string
	output     sync.Mutex
	sender     rocketmq.Producer
	consumers  map[string]rocketmq.PushConsumer
}

func main() {
	d := &driver{nameServer: os.Args[1], consumers: map[string]rocketmq.PushConsumer{}}
	d.print(object{"event": "ready"})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r request
		answer := object{}
		err := json.Unmarshal(lines.Bytes(), &r)
		if err == nil {
			answer, err = d.perform(r)
		}
		if err != nil {
			answer = object{"error": err.Error()}
		}
		answer["id"] = r.ID
		d.print(answer)
	}
	for _, c := range d.consumers {
		_ = c.Shutdown()
	}
	if d.sender != nil {
		_ = d.sender.Shutdown()
	}
}

func (d *driver) perform(r request) (object, error) {
	switch r.Do {
	case "send":
		return d.send(r)
	case "start_consumer":
		return d.startPush(r)
	case "stop_consumer":
		c := d.consumers[r.Name]
		delete(d.consumers, r.Name)
		return object{}, c.Shutdown()
	case "pull":
		return d.pull(r)
	}
	return nil, fmt.Errorf("unknown request %q", r.Do)
}

func (d *driver) producer() (rocketmq.Producer, error) {
	if d.sender != nil {
		return d.sender, nil
	}
	p, err := rocketmq.NewProducer(
		producer.WithNameServer([]string{d.nameServer}),
		producer.WithGroupName("interop_producer"),
		producer.WithInstanceName(d.instance("producer")),
		producer.WithRetry(2),
	)
	if err != nil {
		return nil, err
	}
	if err = p.Start(); err == nil {
		d.sender = p
	}
	return p, err
}

func (d *driver) send(r request) (object, error) {
	p, err := d.producer()
	if err != nil {
		return nil, err
	}
	var messages []*primitive.Message
	for _, m := range r.Messages {
		message := primitive.NewMessage(r.Topic, []byte(m.Body))
		if m.Tags != "" {
			message.WithTag(m.Tags)
		}
		if m.Keys != "" {
			message.WithKeys([]string{m.Keys})
		}
		messages = append(messages, message)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
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

func (d *driver) startPush(r request) (object, error) {
	model := consumer.Clustering
	if r.Model == "broadcasting" {
		model = consumer.BroadCasting
	}
	c, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer([]string{d.nameServer}),
		consumer.WithGroupName(r.Group),
		consumer.WithInstance(d.instance(r.Name)),
		consumer.WithConsumerModel(model),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		return nil, err
	}
	selector := consumer.MessageSelector{}
	if r.Tags != "" {
		selector = consumer.MessageSelector{Type: consumer.TAG, Expression: r.Tags}
	}
	err = c.Subscribe(r.Topic, selector,
		func(_ context.Context, received ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range received {
				d.print(object{"event": "message", "consumer": r.Name, "message": describe(m)})
			}
			return consumer.ConsumeSuccess, nil
		})
	if err != nil {
		return nil, err
	}
	if err = c.Start(); err != nil {
		return nil, err
	}
	d.consumers[r.Name] = c
	return object{}, nil
}

// pull reads the topic with the polling consumer until it has the wanted number of messages, then a moment longer.
func (d *driver) pull(r request) (object, error) {
	c, err := rocketmq.NewPullConsumer(
		consumer.WithNameServer([]string{d.nameServer}),
		consumer.WithGroupName(r.Group),
		consumer.WithInstance(d.instance("pull")),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		return nil, err
	}
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}
	if r.Tags != "" {
		selector.Expression = r.Tags
	}
	if err = c.Subscribe(r.Topic, selector); err != nil {
		return nil, err
	}
	if err = c.Start(); err != nil {
		return nil, err
	}
	messages := []object{}
	deadline := time.Now().Add(20 * time.Second)
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

func (d *driver) instance(name string) string {
	return fmt.Sprintf("%s_%d", name, os.Getpid())
}

func (d *driver) print(line object) {
	encoded, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	d.output.Lock()
	defer d.output.Unlock()
	fmt.Println(string(encoded))
}

func describe(m *primitive.MessageExt) object {
	described := object{
		"topic": m.Topic, "body": string(m.Body), "tags": m.GetTags(), "keys": m.GetKeys(),
		"queue_offset": m.QueueOffset, "message_id": m.MsgId,
	}
	if m.Queue != nil {
		described["queue"] = m.Queue.QueueId
	}
	return described
}

func sendResult(body string, result *primitive.SendResult) object {
	return object{
		"body": body, "status": map[bool]string{true: "SEND_OK"}[result.Status == primitive.SendOK],
		"message_id": result.MsgID, "offset_message_id": result.OffsetMsgID,
		"queue": result.MessageQueue.QueueId, "queue_offset": result.QueueOffset,
	}
}
