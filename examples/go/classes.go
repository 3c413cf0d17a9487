package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"example.com/polyseme/polysemev1"
)

// class is the label of a text that scores best.
type class struct {
	Label string  `json:"label"`
	Score float32 `json:"score"`
}

// rank is the place of a text in the request, and its score.
type rank struct {
	Index uint32  `json:"index"`
	Score float32 `json:"score"`
}

// classes gives the best label of each text.
func (p predictor) classes(subjects []subject) ([]class, error) {
	request := &polysemev1.ClassifyRequest{Model: p.ref()}
	for _, subject := range subjects {
		request.Texts = append(request.Texts, subject.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.ClassifyResponse, error) { return p.service.Classify(ctx, request) })
	if err != nil {
		return nil, err
	}
	head, err := p.head(ctx, reply.GetModel(), reply.GetHead())
	if err != nil {
		return nil, err
	}
	rows, err := decode(reply.GetScores())
	if err != nil {
		return nil, err
	}
	found := make([]class, len(rows))
	for i, scores := range rows {
		best := slices.Max(scores)
		found[i] = class{head.GetLabels()[slices.Index(scores, best)], best}
	}
	return found, nil
}

// ranking gives the texts in the order of how well they fit the query, the best first.
func (p predictor) ranking(subjects []subject) ([]rank, error) {
	request := &polysemev1.RerankRequest{Model: p.ref(), Query: query}
	for _, subject := range subjects {
		request.Texts = append(request.Texts, subject.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.RerankResponse, error) { return p.service.Rerank(ctx, request) })
	if err != nil {
		return nil, err
	}
	rows, err := decode(reply.GetScores())
	if err != nil {
		return nil, err
	}
	found := make([]rank, len(rows[0]))
	for i, index := range reply.GetIndices() {
		found[i] = rank{index, rows[0][i]}
	}
	return found, nil
}

func writeClasses(out io.Writer, texts []class) error {
	for i, one := range texts {
		if _, err := fmt.Fprintf(out, "text %d: %s: %.4f\n", i, one.Label, one.Score); err != nil {
			return err
		}
	}
	return nil
}

func writeRanking(out io.Writer, ranks []rank) error {
	for place, one := range ranks {
		if _, err := fmt.Fprintf(out, "place %d: text %d: %.4f\n", place+1, one.Index, one.Score); err != nil {
			return err
		}
	}
	return nil
}
