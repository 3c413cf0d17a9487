package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"example.com/polyseme/polysemev1"
)

const (
	question = "Where did we sit?" // what `answers` asks of each text
	query    = "by the water"      // what `ranking` sorts the texts by
)

// predictor asks the heads of a model.
type predictor struct {
	service polysemev1.PredictionServiceClient
	models  polysemev1.ModelServiceClient
	model   string
}

func (p predictor) ref() *polysemev1.ModelRef { return &polysemev1.ModelRef{Name: p.model} }

// head describes the head that answered: replies have labels and kinds as places in its lists.
func (p predictor) head(
	ctx context.Context, model *polysemev1.ModelIdentity, name string,
) (*polysemev1.Head, error) {
	which := &polysemev1.ModelRef{Name: model.GetName(), Version: model.GetVersion()}
	reply, err := patiently(ctx, func() (*polysemev1.GetModelResponse, error) {
		return p.models.GetModel(ctx, &polysemev1.GetModelRequest{Model: which})
	})
	if err != nil {
		return nil, err
	}
	for _, head := range reply.GetModel().GetHeads() {
		if head.GetName() == name {
			return head, nil
		}
	}
	return nil, fmt.Errorf("model %s has no head %q", model.GetName(), name)
}

// predicted is what one kind of head said, by its name in JSON.
type predicted struct {
	name  string
	value any
	lines func(io.Writer) error
}

func (p predicted) write(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{p.name: p.value})
	}
	return p.lines(out)
}

// predict asks a model for one kind of prediction of the subjects: entities, classes, answers or ranking.
func predict(target, kind, model string) (predicted, error) {
	channel, err := connect(target)
	if err != nil {
		return predicted{}, err
	}
	defer channel.Close()
	p := predictor{polysemev1.NewPredictionServiceClient(channel), polysemev1.NewModelServiceClient(channel), model}
	switch kind {
	case "entities":
		found, err := p.entities(subjects)
		return predicted{kind, found, func(out io.Writer) error { return writeEntities(out, found) }}, err
	case "classes":
		found, err := p.classes(subjects)
		return predicted{kind, found, func(out io.Writer) error { return writeClasses(out, found) }}, err
	case "answers":
		found, err := p.answers(subjects)
		return predicted{kind, found, func(out io.Writer) error { return writeAnswers(out, found) }}, err
	case "ranking":
		found, err := p.ranking(subjects)
		return predicted{kind, found, func(out io.Writer) error { return writeRanking(out, found) }}, err
	}
	return predicted{}, fmt.Errorf("unknown prediction %q; entities, classes, answers or ranking expected", kind)
}

// sameText checks that the offsets of a span mean here what they mean at the server.
func sameText(text string, span *polysemev1.Span, found string) error {
	start, end := span.GetStart(), span.GetEnd()
	if slice := text[start:end]; slice != found {
		return fmt.Errorf("%d to %d is %q here and %q at the server", start, end, slice, found)
	}
	return nil
}
