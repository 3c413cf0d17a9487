package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const attempts = 4

// patiently makes a call again when the server is full and says when to come back, up to the context's deadline.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		reply, err := call()
		wait, welcome := retryAfter(err)
		if !welcome || attempt == attempts {
			return reply, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return reply, err
		}
	}
}

// retryAfter tells when a retry is welcome. RESOURCE_EXHAUSTED without RetryInfo is a message over the limit.
func retryAfter(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// explain says what to do about an error; docs/status-codes.md says more.
func explain(err error) string {
	failure, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	advice, known := map[codes.Code]string{
		codes.InvalidArgument:   "change the request; it fails however often it is sent",
		codes.NotFound:          "ask ListModels which models there are",
		codes.ResourceExhausted: "a smaller message where it is too large; else later",
		codes.Unavailable:       "nobody serves at the target; gRPC has tried several times",
		codes.DeadlineExceeded:  "allow more time, or ask for less in one call",
		codes.Unimplemented:     "the server is older than this program, or no Polyseme server",
		codes.Internal:          "the server's log has the reason under the id",
	}[failure.Code()]
	if !known {
		advice = "nothing that the server says by itself"
	}
	return fmt.Sprintf("%v: %s (%s)", failure.Code(), failure.Message(), advice)
}
