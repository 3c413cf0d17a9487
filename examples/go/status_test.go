package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func full(t *testing.T, wait time.Duration) error {
	t.Helper()
	failure, err := status.New(codes.ResourceExhausted, "full").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil {
		t.Fatal(err)
	}
	return failure.Err()
}

func TestPatientlyComesAgain(t *testing.T) {
	calls := 0
	reply, err := patiently(context.Background(), func() (string, error) {
		if calls++; calls < 3 {
			return "", full(t, time.Millisecond)
		}
		return "vectors", nil
	})
	if reply != "vectors" || err != nil || calls != 3 {
		t.Errorf("got %q, %v after %d calls", reply, err, calls)
	}
}

func TestPatientlyGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		calls int
	}{
		"message over the limit": {status.Error(codes.ResourceExhausted, "grpc: received message larger than max"), 1},
		"bad input":              {status.Error(codes.InvalidArgument, "texts is empty"), 1},
		"full for good":          {full(t, time.Millisecond), attempts},
	} {
		calls := 0
		_, err := patiently(context.Background(), func() (string, error) { calls++; return "", c.err })
		if !errors.Is(err, c.err) || calls != c.calls {
			t.Errorf("%s: got %v after %d calls; want %d", name, err, calls, c.calls)
		}
	}
}

func TestPatientlyHeedsTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	calls := 0
	_, err := patiently(ctx, func() (string, error) { calls++; return "", full(t, time.Hour) })
	if status.Code(err) != codes.ResourceExhausted || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}
