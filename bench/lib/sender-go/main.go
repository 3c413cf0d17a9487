// A closed loop of unary calls, gRPC or HTTP/1.1, whose requests are made before it begins and whose replies are not parsed:
// what it costs itself stays small, and is printed.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// call sends one request, and returns when its reply has come whole.
type call func(request []byte) error

// report is what is printed. Times are seconds.
type report struct {
	Calls       int       `json:"calls"`        // answered within the measured time
	AllCalls    int       `json:"all_calls"`    // answered at all, before and after it too
	Failed      int       `json:"failed"`       // ended otherwise
	Error       string    `json:"error"`        // of the first that did
	Seconds     float64   `json:"seconds"`      // measured
	Latencies   []float64 `json:"latencies"`    // of `calls`, ascending
	CPUSeconds  float64   `json:"cpu_seconds"`  // of this process
	WallSeconds float64   `json:"wall_seconds"` // of all calls
}

func main() {
	protocol := flag.String("protocol", "grpc", "grpc or http")
	target := flag.String("target", "", "HOST:PORT")
	path := flag.String("path", "", "of the method, or of the URL")
	file := flag.String("requests", "", "requests one after another, each behind its size: 4 bytes, little endian")
	connections := flag.Int("connections", 1, "of gRPC; calls take them in turn")
	inFlight := flag.Int("in-flight", 1, "callers, each sending its next request when its last is answered")
	warmUp := flag.Duration("warm-up", time.Second, "calls before anything is measured")
	length := flag.Duration("duration", 5*time.Second, "measured time")
	flag.Parse()

	requests, err := read(*file)
	exitOn(err)
	send, err := dial(*protocol, *target, *path, *inFlight, *connections)
	exitOn(err)
	json.NewEncoder(os.Stdout).Encode(run(send, requests, *inFlight, *warmUp, *length))
}

func run(send call, requests [][]byte, inFlight int, warmUp, length time.Duration) report {
	var next, failed atomic.Int64
	var first atomic.Pointer[string]
	var mutex sync.Mutex
	var all int
	var latencies []float64
	began := time.Now()
	from := began.Add(warmUp)
	until := from.Add(length)
	var callers sync.WaitGroup
	for range inFlight {
		callers.Go(func() {
			var own []float64
			answered := 0
			for {
				started := time.Now()
				if started.After(until) {
					break
				}
				request := requests[int(next.Add(1)-1)%len(requests)]
				if err := send(request); err != nil {
					text := err.Error()
					first.CompareAndSwap(nil, &text)
					if failed.Add(1) > 100 {
						break
					}
					continue
				}
				answered++
				if ended := time.Now(); ended.After(from) && ended.Before(until) {
					own = append(own, ended.Sub(started).Seconds())
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			all += answered
			latencies = append(latencies, own...)
		})
	}
	callers.Wait()
	slices.Sort(latencies)
	seen := report{
		Calls: len(latencies), AllCalls: all, Failed: int(failed.Load()), Seconds: length.Seconds(),
		Latencies: latencies, CPUSeconds: ownCPU(), WallSeconds: time.Since(began).Seconds(),
	}
	if text := first.Load(); text != nil {
		seen.Error = *text
	}
	return seen
}

func dial(protocol, target, path string, inFlight, connections int) (call, error) {
	if protocol == "http" {
		transport := &http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight}
		client := &http.Client{Transport: transport}
		url := "http://" + target + path
		return func(request []byte) error { return post(client, url, request) }, nil
	}
	var opened []*grpc.ClientConn
	var next atomic.Int64
	for range connections {
		connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
		if err != nil {
			return nil, err
		}
		opened = append(opened, connection)
	}
	return func(request []byte) error {
		var reply []byte
		connection := opened[int(next.Add(1))%connections]
		return connection.Invoke(context.Background(), path, &request, &reply)
	}, nil
}

func post(client *http.Client, url string, request []byte) error {
	reply, err := client.Post(url, "application/json", bytes.NewReader(request))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", reply.StatusCode)
	}
	return nil
}

// raw gives and takes messages as the bytes that they are.
type raw struct{}

func (raw) Name() string                        { return "proto" }
func (raw) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = data
	return nil
}

func read(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var requests [][]byte
	for len(data) >= 4 {
		size := int(binary.LittleEndian.Uint32(data))
		if 4+size > len(data) {
			return nil, fmt.Errorf("%s is cut off", path)
		}
		requests = append(requests, data[4:4+size])
		data = data[4+size:]
	}
	if len(requests) == 0 {
		return nil, fmt.Errorf("%s has no request", path)
	}
	return requests, nil
}

func ownCPU() float64 {
	var usage syscall.Rusage
	exitOn(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sender:", err)
		os.Exit(1)
	}
}
