package main

import (
	"context"
	"fmt"
	"io"

	"example.com/polyseme/polysemev1"
)

// answer is a part of a text that answers the question, its offsets in bytes.
type answer struct {
	Text  string  `json:"text"`
	Start uint32  `json:"start"`
	End   uint32  `json:"end"`
	Score float32 `json:"score"`
}

// answers gives the best answer of each text to the question. Offsets are bytes, as Go counts them in strings.
func (p predictor) answers(subjects []subject) ([]answer, error) {
	request := &polysemev1.AnswerRequest{
		Model:      p.ref(),
		OffsetUnit: polysemev1.OffsetUnit_OFFSET_UNIT_UTF8_BYTE,
	}
	for _, subject := range subjects {
		asked := &polysemev1.Question{Question: question, Context: subject.text}
		request.Questions = append(request.Questions, asked)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.AnswerResponse, error) { return p.service.Answer(ctx, request) })
	if err != nil {
		return nil, err
	}
	found := make([]answer, len(subjects))
	for i, answered := range reply.GetQuestions() {
		rows, err := decode(answered.GetScores())
		if err != nil {
			return nil, err
		}
		best := answered.GetAnswers()[0]
		if err := sameText(subjects[i].text, best.GetSpan(), best.GetText()); err != nil {
			return nil, err
		}
		found[i] = answer{best.GetText(), best.GetSpan().GetStart(), best.GetSpan().GetEnd(), rows[0][0]}
	}
	return found, nil
}

func writeAnswers(out io.Writer, texts []answer) error {
	for i, one := range texts {
		line := "text %d: %s at %d to %d: %.4f\n"
		if _, err := fmt.Fprintf(out, line, i, one.Text, one.Start, one.End, one.Score); err != nil {
			return err
		}
	}
	return nil
}
