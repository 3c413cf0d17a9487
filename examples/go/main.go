// Command polyseme asks a Polyseme server for the vectors of texts, and of words in them; or for what heads predict.
package main

//go:generate buf generate ../.. --path ../../proto/polyseme/v1

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"example.com/polyseme/polysemev1"
)

const timeout = 10 * time.Second

// subject is a text, and a word in it.
type subject struct{ text, word string }

var subjects = []subject{
	{"We sat on the bank of the river.", "bank"},
	{"The family 👨‍👩‍👧‍👦 sat on the bank 🏞️ of the river.", "bank"},
	{"Un caf\u00e9 au lait.", "caf\u00e9"},                 // NFC: é is one code point
	{"Deux cafe\u0301s, un cafe\u0301.", "cafe\u0301s"},    // NFD: e and an accent
	{"我们坐在河岸上,看着银行。", "河岸"},                                // three bytes a character
	{"\u05d9\u05e9\u05d1\u05e0\u05d5 על גדת הנהר.", "גדת"}, // right to left, stored left to right
}

func main() {
	log.SetFlags(0)
	target := flag.String("target", "localhost:50051", "address of the server")
	asJSON := flag.Bool("json", false, "print all vectors, exactly")
	dtype := flag.String("dtype", "float32", "how vectors travel: float32, float16, bfloat16 or int8")
	kinds, models := []string{"entities", "classes", "answers", "ranking"}, map[string]*string{}
	for _, kind := range kinds {
		models[kind] = flag.String(kind, "", "print "+kind+" instead, by this model, which has a head for them")
	}
	flag.Parse()
	for _, kind := range kinds {
		model := *models[kind]
		if model == "" {
			continue
		}
		found, err := predict(*target, kind, model)
		if err != nil {
			log.Fatal(explain(err))
		}
		if err = found.write(os.Stdout, *asJSON); err != nil {
			log.Fatal(err)
		}
		return
	}
	found, err := ask(*target, *dtype)
	if err != nil {
		log.Fatal(explain(err))
	}
	if *asJSON {
		err = found.writeJSON(os.Stdout)
	} else {
		err = found.writeText(os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func ask(target, dtypeName string) (*vectors, error) {
	dtype, known := polysemev1.DataType_value["DATA_TYPE_"+strings.ToUpper(dtypeName)]
	if !known {
		return nil, fmt.Errorf("unknown dtype %q", dtypeName)
	}
	channel, err := connect(target)
	if err != nil {
		return nil, err
	}
	defer channel.Close()
	caller := caller{polysemev1.NewEmbeddingServiceClient(channel), polysemev1.DataType(dtype)}
	result := &vectors{}
	if result.embeddings, err = caller.embed(subjects); err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		word, err := caller.embedWord(subject)
		if err != nil {
			return nil, err
		}
		result.words = append(result.words, word)
	}
	return result, nil
}

type caller struct {
	service polysemev1.EmbeddingServiceClient
	dtype   polysemev1.DataType
}

// embed gives one vector for each text, all in one call.
func (c caller) embed(subjects []subject) ([][]float32, error) {
	request := &polysemev1.EmbedRequest{Dtype: c.dtype}
	for _, subject := range subjects {
		request.Texts = append(request.Texts, subject.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.EmbedResponse, error) { return c.service.Embed(ctx, request) })
	if err != nil {
		return nil, err
	}
	return decode(reply.GetEmbeddings())
}

// embedWord gives the vector of a word in its sentence. Offsets are bytes, as Go counts them in strings.
func (c caller) embedWord(subject subject) (word, error) {
	start := strings.Index(subject.text, subject.word)
	span := &polysemev1.Span{Start: uint32(start), End: uint32(start + len(subject.word))}
	request := &polysemev1.EmbedSpansRequest{
		Inputs:     []*polysemev1.SpanInput{{Text: subject.text, Spans: []*polysemev1.Span{span}}},
		OffsetUnit: polysemev1.OffsetUnit_OFFSET_UNIT_UTF8_BYTE,
		Dtype:      c.dtype,
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	reply, err := patiently(ctx, func() (*polysemev1.EmbedSpansResponse, error) {
		return c.service.EmbedSpans(ctx, request)
	})
	if err != nil {
		return word{}, err
	}
	found := reply.GetTexts()[0]
	vectors, err := decode(found.GetVectors())
	if err != nil {
		return word{}, err
	}
	embedded := found.GetSpans()[0]
	begin, end := embedded.GetSpan().GetStart(), embedded.GetSpan().GetEnd()
	if slice := subject.text[begin:end]; slice != embedded.GetText() {
		return word{}, fmt.Errorf("%d to %d is %q here and %q at the server", begin, end, slice, embedded.GetText())
	}
	return word{embedded.GetText(), begin, end, vectors[0]}, nil
}
