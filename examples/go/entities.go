package main

import (
	"context"
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

// entities gives those of each text. Offsets are bytes, as Go counts them in strings.
func (p predictor) entities(subjects []subject) ([][]entity, error) {
	request := &polysemev1.TagTokensRequest{
		Model:      p.ref(),
		OffsetUnit: polysemev1.OffsetUnit_OFFSET_UNIT_UTF8_BYTE,
	}
	for _, subject := range subjects {
		request.Texts = append(request.Texts, subject.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.TagTokensResponse, error) {
		return p.service.TagTokens(ctx, request)
	})
	if err != nil {
		return nil, err
	}
	head, err := p.head(ctx, reply.GetModel(), reply.GetHead())
	if err != nil {
		return nil, err
	}
	found := make([][]entity, len(subjects))
	for i, tagged := range reply.GetTexts() {
		if found[i], err = readEntities(subjects[i].text, tagged, head.GetGroups()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readEntities gives those of one text; the reply has their kinds as places in groups.
func readEntities(text string, tagged *polysemev1.TaggedText, groups []string) ([]entity, error) {
	rows, err := decode(tagged.GetScores())
	if err != nil {
		return nil, err
	}
	entities := []entity{}
	for i, one := range tagged.GetEntities() {
		if err := sameText(text, one.GetSpan(), one.GetText()); err != nil {
			return nil, err
		}
		span := one.GetSpan()
		entities = append(entities, entity{one.GetText(), span.GetStart(), span.GetEnd(), groups[one.GetGroup()], rows[0][i]})
	}
	return entities, nil
}

// writeEntities writes those of each text, one a line.
func writeEntities(out io.Writer, texts [][]entity) error {
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
