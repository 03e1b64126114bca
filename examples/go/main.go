// Sends one message with the official Go client and waits until it comes back.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func main() {
	rlog.SetLogLevel("error")
	nameServers := []string{"127.0.0.1:9876"}
	if len(os.Args) > 1 {
		nameServers = os.Args[1:]
	}

	p, err := rocketmq.NewProducer(
		producer.WithNameServer(nameServers), producer.WithGroupName("hello_producer"))
	check(err)
	check(p.Start())
	message := primitive.NewMessage("HelloPocketMQ", []byte("hello from Go")).WithTag("new")
	sent, err := p.SendSync(context.Background(), message)
	check(err)
	fmt.Println("sent", sent.MsgID)

	c, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer(nameServers), consumer.WithGroupName("hello_go"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	check(err)
	received := make(chan struct{}, 1)
	tags := consumer.MessageSelector{Type: consumer.TAG, Expression: "new"}
	check(c.Subscribe("HelloPocketMQ", tags,
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				fmt.Println("received", string(m.Body))
				if m.MsgId == sent.MsgID {
					received <- struct{}{}
				}
			}
			return consumer.ConsumeSuccess, nil
		}))
	check(c.Start())
	<-received
	check(c.Shutdown())
	check(p.Shutdown())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
