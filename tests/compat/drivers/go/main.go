// The driver works the official Go client on behalf of the interop tests: one JSON request a line on standard input,
// one JSON answer a line on standard output, and an event line for each message a consumer receives.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// A request is the union of all requests' fields, which ../README.md explains.
type request struct {
	ID           int                 `json:"id"`
	Do           string              `json:"do"`
	Name         string              `json:"name"`
	Group        string              `json:"group"`
	Topic        string              `json:"topic"`
	Tags         string              `json:"tags"`
	SQL          string              `json:"sql"`
	Mode         string              `json:"mode"`
	Model        string              `json:"model"`
	Listener     string              `json:"listener"`
	From         string              `json:"from"`
	FromMs       int64               `json:"from_ms"`
	Count        int                 `json:"count"`
	Messages     []outgoing          `json:"messages"`
	Refuse       map[string]int      `json:"refuse"`
	DelayLevel   int                 `json:"delay_level"`
	MaxReconsume int32               `json:"max_reconsume"`
	SuspendMs    int                 `json:"suspend_ms"`
	Stall        bool                `json:"stall"`
	Reply        bool                `json:"reply"`
	Trace        bool                `json:"trace"`
	Checks       map[string][]string `json:"checks"`
	Body         string              `json:"body"`
	Bodies       []string            `json:"bodies"`
	TimeoutMs    int                 `json:"timeout_ms"`
	Queue        int                 `json:"queue"`
	Offset       int64               `json:"offset"`
	AccessKey    string              `json:"access_key"`
	SecretKey    string              `json:"secret_key"`
}

type object map[string]any

type driver struct {
	nameServer   string
	output       sync.Mutex
	senders      map[string]rocketmq.Producer
	transactions map[string]*transactions
	consumers    map[string]rocketmq.PushConsumer
}

func main() {
	d := &driver{
		nameServer:   os.Args[1],
		senders:      map[string]rocketmq.Producer{},
		transactions: map[string]*transactions{},
		consumers:    map[string]rocketmq.PushConsumer{},
	}
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
	d.shutdown()
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
	case "pull_from":
		return d.pullFrom(r)
	case "start_transactions":
		return object{}, d.startTransactions(r)
	case "transact":
		return d.transact(r)
	case "stop_transactions":
		t := d.transactions[r.Name]
		delete(d.transactions, r.Name)
		return object{}, t.producer.Shutdown()
	case "request":
		return d.request(r)
	case "request_many":
		return d.requestMany(r)
	}
	return nil, fmt.Errorf("unknown request %q", r.Do)
}

func (d *driver) shutdown() {
	for _, c := range d.consumers {
		_ = c.Shutdown()
	}
	for _, p := range d.senders {
		_ = p.Shutdown()
	}
	for _, t := range d.transactions {
		_ = t.producer.Shutdown()
	}
}

func (d *driver) instance(name string) string {
	return fmt.Sprintf("%s_%d", name, os.Getpid())
}

// credentials are empty for a client that signs nothing.
func (r request) credentials() primitive.Credentials {
	return primitive.Credentials{AccessKey: r.AccessKey, SecretKey: r.SecretKey}
}

func (d *driver) traceConfig() *primitive.TraceConfig {
	return &primitive.TraceConfig{
		Access:   primitive.Local,
		Resolver: primitive.NewPassthroughResolver([]string{d.nameServer}),
	}
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
		"queue_offset": m.QueueOffset, "message_id": m.MsgId, "properties": m.GetProperties(),
		"reconsume_times": m.ReconsumeTimes, "born_ms": m.BornTimestamp, "stored_ms": m.StoreTimestamp,
		"heard_ms": float64(time.Now().UnixMicro()) / 1000,
	}
	if m.Queue != nil {
		described["queue"], described["broker"] = m.Queue.QueueId, m.Queue.BrokerName
	}
	return described
}
