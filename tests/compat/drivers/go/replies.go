package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// request sends a message and waits for the reply.
func (d *driver) request(r request) (object, error) {
	p, err := d.producer(r)
	if err != nil {
		return nil, err
	}
	wait := time.Duration(r.TimeoutMs) * time.Millisecond
	reply, err := p.Request(context.Background(), wait, primitive.NewMessage(r.Topic, []byte(r.Body)))
	if err != nil {
		return nil, err
	}
	return object{"reply": describeReply(reply)}, nil
}

// requestMany sends all messages at once and hears of the replies by callback.
func (d *driver) requestMany(r request) (object, error) {
	p, err := d.producer(r)
	if err != nil {
		return nil, err
	}
	type outcome struct {
		body  string
		reply *primitive.Message
		err   error
	}
	wait := time.Duration(r.TimeoutMs) * time.Millisecond
	outcomes := make(chan outcome, 2*len(r.Bodies))
	for _, body := range r.Bodies {
		body := body
		err = p.RequestAsync(context.Background(), wait, func(_ context.Context, m *primitive.Message, err error) {
			outcomes <- outcome{body, m, err}
		}, primitive.NewMessage(r.Topic, []byte(body)))
		if err != nil {
			return nil, err
		}
	}
	replies := object{}
	deadline := time.After(wait)
	for len(replies) < len(r.Bodies) {
		select {
		case o := <-outcomes:
			if o.err != nil {
				return nil, o.err
			}
			replies[o.body] = describeReply(o.reply)
		case <-deadline:
			return nil, fmt.Errorf("%d of %d requests were replied to", len(replies), len(r.Bodies))
		}
	}
	return object{"replies": replies}, nil
}

func describeReply(m *primitive.Message) object {
	return object{"topic": m.Topic, "body": string(m.Body), "properties": m.GetProperties()}
}

func (d *driver) reply(m *primitive.MessageExt) error {
	p, err := d.producer(request{})
	if err != nil {
		return err
	}
	text := []byte("re: " + string(m.Body))
	answer, err := consumer.CreateReplyMessage(m, text)
	if err != nil {
		return err
	}
	// The client's own function forgets the body.
	answer.Body = text
	ctx, cancel := context.WithTimeout(context.Background(), sendSeconds)
	defer cancel()
	_, err = p.SendSync(ctx, answer)
	return err
}
