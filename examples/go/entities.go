package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"example.com/polyseme/polysemev1"
)

// entity is a part of a text, its offsets in bytes, and its kind, such as PER.
type entity struct {
	Text  string  `json:"text"`
	Start uint32  `json:"start"`
	End   uint32  `json:"end"`
	Group string  `json:"group"`
	Score float32 `json:"score"`
}

// tagger finds entities with a head of a model.
type tagger struct {
	predictions polysemev1.PredictionServiceClient
	models      polysemev1.ModelServiceClient
	model       string
}

// find gives the entities of each text. Offsets are bytes, as Go counts them in strings.
func (t tagger) find(subjects []subject) ([][]entity, error) {
	request := &polysemev1.TagTokensRequest{
		Model:      &polysemev1.ModelRef{Name: t.model},
		OffsetUnit: polysemev1.OffsetUnit_OFFSET_UNIT_UTF8_BYTE,
	}
	for _, subject := range subjects {
		request.Texts = append(request.Texts, subject.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.TagTokensResponse, error) {
		return t.predictions.TagTokens(ctx, request)
	})
	if err != nil {
		return nil, err
	}
	groups, err := t.groups(ctx, reply.GetModel(), reply.GetHead())
	if err != nil {
		return nil, err
	}
	found := make([][]entity, len(subjects))
	for i, tagged := range reply.GetTexts() {
		if found[i], err = read(subjects[i].text, tagged, groups); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// groups gives the names of a head's kinds of entities; a reply has their places in this list.
func (t tagger) groups(ctx context.Context, model *polysemev1.ModelIdentity, name string) ([]string, error) {
	which := &polysemev1.ModelRef{Name: model.GetName(), Version: model.GetVersion()}
	reply, err := patiently(ctx, func() (*polysemev1.GetModelResponse, error) {
		return t.models.GetModel(ctx, &polysemev1.GetModelRequest{Model: which})
	})
	if err != nil {
		return nil, err
	}
	for _, head := range reply.GetModel().GetHeads() {
		if head.GetName() == name {
			return head.GetGroups(), nil
		}
	}
	return nil, fmt.Errorf("model %s has no head %q", model.GetName(), name)
}

func read(text string, tagged *polysemev1.TaggedText, groups []string) ([]entity, error) {
	rows, err := decode(tagged.GetScores())
	if err != nil {
		return nil, err
	}
	entities := []entity{}
	for i, one := range tagged.GetEntities() {
		start, end := one.GetSpan().GetStart(), one.GetSpan().GetEnd()
		if slice := text[start:end]; slice != one.GetText() {
			return nil, fmt.Errorf("%d to %d is %q here and %q at the server", start, end, slice, one.GetText())
		}
		entities = append(entities, entity{one.GetText(), start, end, groups[one.GetGroup()], rows[0][i]})
	}
	return entities, nil
}

// printEntities writes those of each text, as JSON or one a line.
func printEntities(out io.Writer, texts [][]entity, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"entities": texts})
	}
	for i, entities := range texts {
		for _, one := range entities {
			line := "text %d: %s %s at %d to %d: %.4f\n"
			if _, err := fmt.Fprintf(out, line, i, one.Group, one.Text, one.Start, one.End, one.Score); err != nil {
				return err
			}
		}
	}
	return nil
}
