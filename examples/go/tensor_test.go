package main

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"example.com/polyseme/polysemev1"
)

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		tensor *polysemev1.Tensor
		want   [][]float32
	}{
		"float32": {
			&polysemev1.Tensor{
				Dtype: polysemev1.DataType_DATA_TYPE_FLOAT32, Shape: []int64{1, 2},
				Data: []byte{0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0},
			},
			[][]float32{{1, -2.5}},
		},
		"float16": {
			&polysemev1.Tensor{
				Dtype: polysemev1.DataType_DATA_TYPE_FLOAT16, Shape: []int64{2, 1},
				Data: []byte{0x00, 0x3c, 0x00, 0xc1},
			},
			[][]float32{{1}, {-2.5}},
		},
		"bfloat16": {
			&polysemev1.Tensor{
				Dtype: polysemev1.DataType_DATA_TYPE_BFLOAT16, Shape: []int64{2},
				Data: []byte{0x80, 0x3f, 0x20, 0xc0},
			},
			[][]float32{{1, -2.5}},
		},
		"int8 with a scale per row": {
			&polysemev1.Tensor{
				Dtype: polysemev1.DataType_DATA_TYPE_INT8, Shape: []int64{2, 2},
				Data:   []byte{127, 0x81, 4, 0xff},
				Scales: []byte{0, 0, 0, 0x3f, 0, 0, 0, 0x40},
			},
			[][]float32{{63.5, -63.5}, {8, -2}},
		},
		"no rows": {
			&polysemev1.Tensor{Dtype: polysemev1.DataType_DATA_TYPE_FLOAT32, Shape: []int64{0, 384}},
			[][]float32{},
		},
	} {
		got, err := decode(c.tensor)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const float32s, int8s = polysemev1.DataType_DATA_TYPE_FLOAT32, polysemev1.DataType_DATA_TYPE_INT8
	const binary = polysemev1.DataType_DATA_TYPE_BINARY
	for words, tensor := range map[string]*polysemev1.Tensor{
		"7 bytes; 8 expected":    {Dtype: float32s, Shape: []int64{2}, Data: make([]byte, 7)},
		"0 bytes of scales; 4 ":  {Dtype: int8s, Shape: []int64{1, 2}, Data: make([]byte, 2)},
		"without a shape":        {Dtype: float32s},
		"dtype DATA_TYPE_BINARY": {Dtype: binary, Shape: []int64{8}, Data: make([]byte, 1)},
	} {
		if _, err := decode(tensor); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v; want %q", err, words)
		}
	}
}

func TestFromHalf(t *testing.T) {
	for half, want := range map[uint16]uint32{
		0x0000: 0x00000000,
		0x8000: 0x80000000, // -0
		0x0001: 0x33800000, // 2^-24, the smallest
		0x83ff: 0xb87fc000, // the largest subnormal, negative
		0x0400: 0x38800000, // 2^-14, the smallest normal
		0x3555: 0x3eaaa000, // about 1/3
		0x7bff: 0x477fe000, // 65504, the largest
		0x7c00: 0x7f800000,
		0xfc00: 0xff800000,
		0x7e00: 0x7fc00000,
	} {
		if got := math.Float32bits(fromHalf(half)); got != want {
			t.Errorf("%#04x: got %#08x; want %#08x", half, got, want)
		}
	}
}
