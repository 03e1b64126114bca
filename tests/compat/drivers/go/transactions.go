package main

import (
	"context"
	"sync"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var states = map[string]primitive.LocalTransactionState{
	"commit":   primitive.CommitMessageState,
	"rollback": primitive.RollbackMessageState,
	"unknown":  primitive.UnknowState,
}

// transactions is one producer: what it says of a body when it is sent, and each time the broker asks.
type transactions struct {
	sync.Mutex
	driver   *driver
	name     string
	producer rocketmq.TransactionProducer
	local    map[string]string
	answers  map[string][]string
}

func (t *transactions) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	t.Lock()
	defer t.Unlock()
	return states[t.local[string(m.Body)]]
}

// CheckLocalTransaction gives the answers planned for a body one after the other, the last for ever.
func (t *transactions) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	t.driver.print(object{"event": "message", "consumer": t.name, "message": describe(m)})
	t.Lock()
	defer t.Unlock()
	answers := t.answers[string(m.Body)]
	if len(answers) == 0 {
		return primitive.UnknowState
	}
	if len(answers) > 1 {
		t.answers[string(m.Body)] = answers[1:]
	}
	return states[answers[0]]
}

func (d *driver) startTransactions(r request) error {
	t := &transactions{driver: d, name: r.Name, local: map[string]string{}, answers: r.Checks}
	if t.answers == nil {
		t.answers = map[string][]string{}
	}
	p, err := rocketmq.NewTransactionProducer(t,
		producer.WithNameServer([]string{d.nameServer}),
		producer.WithGroupName(r.Group),
		producer.WithInstanceName(d.instance(r.Name)),
		producer.WithRetry(2),
		producer.WithSendMsgTimeout(sendSeconds),
	)
	if err != nil {
		return err
	}
	t.producer = p
	d.transactions[r.Name] = t
	return p.Start()
}

func (d *driver) transact(r request) (object, error) {
	t := d.transactions[r.Name]
	sent := []object{}
	for _, item := range r.Messages {
		t.Lock()
		t.local[item.Body] = item.Local
		t.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), sendSeconds)
		result, err := t.producer.SendMessageInTransaction(ctx, item.message(r.Topic))
		cancel()
		if err != nil {
			return nil, err
		}
		outcome := sendResult(item.Body, result.SendResult)
		outcome["state"] = item.Local
		sent = append(sent, outcome)
	}
	return object{"sent": sent}, nil
}
