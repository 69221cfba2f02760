// Log events and labels from Go (1.18 or newer), with the standard library alone: batches, compressed, tried again.
//
//	go run docs/producers/producer.go http://127.0.0.1:8321 late-flights
//
// BAROGRAPH_KEY is the key, where one is needed. What is sent twice counts once: every event has an id.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const limit = 50_000 // rows that wait; the newest are kept

var later = map[int]bool{401: true, 403: true, 404: true, 408: true, 409: true, 425: true, 429: true,
	500: true, 502: true, 503: true, 504: true}

// Row is one event (id, timestamp, features, prediction, score or scores, context) or one label. What is not in it is
// missing; nil is null.
type Row = map[string]any

// Number is a float64 that may be NaN or infinite, which encoding/json refuses: JSON has no word for it, so it is text.
type Number float64

// MarshalJSON writes a number.
func (n Number) MarshalJSON() ([]byte, error) {
	value := float64(n)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return json.Marshal(strings.TrimPrefix(strconv.FormatFloat(value, 'g', -1, 64), "+"))
	}
	return json.Marshal(value)
}

// Producer sends rows of one model. Any number of goroutines may use it.
type Producer struct {
	base, key string
	rows      int
	lock      sync.Mutex
	waiting   map[string][][]byte
	Dropped   int
	stop      chan struct{}
	ended     chan struct{}
	client    http.Client
}

// NewProducer returns a producer that sends at most so many rows at once.
func NewProducer(address, model string, rows int) *Producer {
	p := &Producer{
		base:    strings.TrimRight(address, "/") + "/v1/models/" + url.PathEscape(model),
		key:     os.Getenv("BAROGRAPH_KEY"),
		rows:    rows,
		waiting: map[string][][]byte{},
		stop:    make(chan struct{}),
		ended:   make(chan struct{}),
		client:  http.Client{Timeout: 30 * time.Second},
	}
	go p.run()
	return p
}

// Log takes one event, and waits for nothing. An event of which no JSON can be made is an error.
func (p *Producer) Log(event Row) error { return p.add("events", event) }

// Label tells what was true for an event.
func (p *Producer) Label(id string, label any, at time.Time) error {
	return p.add("labels", Row{"id": id, "label": label, "label_timestamp": at})
}

// Close sends what waits, and ends.
func (p *Producer) Close() {
	close(p.stop)
	<-p.ended
}

func (p *Producer) add(kind string, row Row) error {
	line, err := json.Marshal(row)
	if err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	lines := append(p.waiting[kind], line)
	if len(lines) > limit {
		lines, p.Dropped = lines[1:], p.Dropped+1
	}
	p.waiting[kind] = lines
	return nil
}

func (p *Producer) run() {
	defer close(p.ended)
	for last := false; !last; {
		select {
		case <-p.stop:
			last = true
		case <-time.After(250 * time.Millisecond):
		}
		for _, kind := range []string{"events", "labels"} {
			for lines := p.take(kind); len(lines) > 0; lines = p.take(kind) {
				fmt.Println(p.post(kind, bytes.Join(lines, []byte("\n"))))
			}
		}
	}
}

func (p *Producer) take(kind string) [][]byte {
	p.lock.Lock()
	defer p.lock.Unlock()
	lines := p.waiting[kind]
	count := len(lines)
	if count > p.rows {
		count = p.rows
	}
	p.waiting[kind] = lines[count:]
	return lines[:count]
}

func (p *Producer) post(kind string, lines []byte) string {
	var body bytes.Buffer
	packer := gzip.NewWriter(&body)
	packer.Write(lines) // memory has no errors
	packer.Close()
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		if pause > time.Minute {
			pause = time.Minute
		}
		wait := time.Duration(float64(pause) * (0.5 + rand.Float64()/2))
		request, err := http.NewRequest("POST", p.base+"/"+kind, bytes.NewReader(body.Bytes()))
		if err != nil {
			return err.Error()
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		request.Header.Set("Content-Encoding", "gzip")
		if p.key != "" {
			request.Header.Set("Authorization", "Bearer "+p.key)
		}
		if answer, err := p.client.Do(request); err == nil {
			said, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err == nil && !later[answer.StatusCode] {
				return strings.TrimSpace(string(said)) // 200; 422 where no row was taken: it says why, row by row
			}
			if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
				if asked := time.Duration(seconds) * time.Second; asked > wait {
					wait = asked
				}
			}
		} // else the connection broke off, or there is none: the same again
		time.Sleep(wait)
	}
}

func main() {
	rand.Seed(time.Now().UnixNano())
	producer := NewProducer(os.Args[1], os.Args[2], 5)
	at := time.Date(2025, 6, 1, 10, 0, 0, 0, time.UTC)
	event := func(name string, features Row) Row {
		return Row{"id": "go-" + name, "timestamp": at, "features": features, "score": 0.25}
	}
	plain := event("plain", Row{"x": 1.5, "amount": 2, "colour": "red", "known": true, "code": "A1"})
	plain["context"] = Row{"version": "7", "latency_ms": 3.5}
	naive := event("naive", Row{"x": 1.5})
	naive["timestamp"] = "2025-06-01T10:00:00" // a time.Time always has a zone
	for _, row := range []Row{
		plain,
		event("nan", Row{"x": Number(math.NaN()), "colour": "red"}),
		event("infinite", Row{"x": Number(math.Inf(-1)), "colour": "red"}),
		event("null", Row{"x": nil, "colour": nil}),
		event("missing", Row{}),
		event("big", Row{"amount": int64(9007199254740993), "code": int64(9007199254740993)}),
		event("decimal", Row{"amount": json.Number("12.30"), "code": "12.30"}),
		naive,
		event("unicode-ü", Row{"colour": "grün 🦊 \"\\"}),
		event("truth", Row{"x": true, "known": false}),
		event("wrong", Row{"x": "much"}),
	} {
		if err := producer.Log(row); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	producer.Label("go-plain", 0, at.AddDate(0, 0, 1))
	producer.Label("go-plain", 1, at.AddDate(0, 0, 2))
	producer.Label("go-nan", 0, at.AddDate(0, 0, 1))
	producer.Close()
}
