package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// word is a word as the server found it, its offsets in bytes, and its vector.
type word struct {
	text       string
	start, end uint32
	vector     []float32
}

type vectors struct {
	embeddings [][]float32
	words      []word
}

func (v *vectors) writeText(out io.Writer) error {
	for i, vector := range v.embeddings {
		word := v.words[i]
		_, err := fmt.Fprintf(out, "text %d: [%d] %.4f ...   %s at %d to %d: [%d] %.4f ...\n",
			i, len(vector), vector[:3], word.text, word.start, word.end, len(word.vector), word.vector[:3])
		if err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes vectors as base64 of little-endian float32, which loses nothing.
func (v *vectors) writeJSON(out io.Writer) error {
	type wordJSON struct {
		Text   string `json:"text"`
		Start  uint32 `json:"start"`
		End    uint32 `json:"end"`
		Vector string `json:"vector"`
	}
	var document struct {
		Embeddings []string   `json:"embeddings"`
		Words      []wordJSON `json:"words"`
	}
	for _, vector := range v.embeddings {
		document.Embeddings = append(document.Embeddings, exact(vector))
	}
	for _, w := range v.words {
		document.Words = append(document.Words, wordJSON{w.text, w.start, w.end, exact(w.vector)})
	}
	return json.NewEncoder(out).Encode(document)
}

func exact(vector []float32) string {
	var data []byte
	for _, element := range vector {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(element))
	}
	return base64.StdEncoding.EncodeToString(data)
}
