package main

import (
	"encoding/binary"
	"fmt"
	"math"

	"example.com/polyseme/polysemev1"
)

// elementBytes holds the sizes of the dtypes that decode to floats. BINARY is missing: its bits stay packed.
var elementBytes = map[polysemev1.DataType]int{
	polysemev1.DataType_DATA_TYPE_FLOAT32:  4,
	polysemev1.DataType_DATA_TYPE_FLOAT16:  2,
	polysemev1.DataType_DATA_TYPE_BFLOAT16: 2,
	polysemev1.DataType_DATA_TYPE_INT8:     1,
}

// decode gives the rows of a tensor: the last axis of its shape, one slice for each entry of the other axes.
func decode(tensor *polysemev1.Tensor) ([][]float32, error) {
	size, known := elementBytes[tensor.GetDtype()]
	if !known {
		return nil, fmt.Errorf("tensor of dtype %v; float32, float16, bfloat16 or int8 expected", tensor.GetDtype())
	}
	shape := tensor.GetShape()
	if len(shape) == 0 {
		return nil, fmt.Errorf("tensor without a shape")
	}
	rows, width := 1, int(shape[len(shape)-1])
	for _, length := range shape[:len(shape)-1] {
		rows *= int(length)
	}
	data, scales := tensor.GetData(), tensor.GetScales()
	if len(data) != rows*width*size {
		return nil, fmt.Errorf("tensor of shape %v has %d bytes; %d expected", shape, len(data), rows*width*size)
	}
	scaled := tensor.GetDtype() == polysemev1.DataType_DATA_TYPE_INT8
	if scaled && len(scales) != 4*rows {
		return nil, fmt.Errorf("tensor of shape %v has %d bytes of scales; %d expected", shape, len(scales), 4*rows)
	}
	result := make([][]float32, rows)
	for row := range result {
		result[row] = make([]float32, width)
		scale := float32(1)
		if scaled {
			scale = math.Float32frombits(binary.LittleEndian.Uint32(scales[4*row:]))
		}
		for column := range result[row] {
			element := data[(row*width+column)*size:]
			result[row][column] = scale * toFloat(tensor.GetDtype(), element)
		}
	}
	return result, nil
}

// toFloat reads one little-endian element.
func toFloat(dtype polysemev1.DataType, element []byte) float32 {
	switch dtype {
	case polysemev1.DataType_DATA_TYPE_FLOAT32:
		return math.Float32frombits(binary.LittleEndian.Uint32(element))
	case polysemev1.DataType_DATA_TYPE_FLOAT16:
		return fromHalf(binary.LittleEndian.Uint16(element))
	case polysemev1.DataType_DATA_TYPE_BFLOAT16:
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(element)) << 16)
	default:
		return float32(int8(element[0]))
	}
}

// fromHalf widens an IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. No value is rounded.
func fromHalf(half uint16) float32 {
	sign := uint32(half>>15) << 31
	exponent, fraction := uint32(half>>10)&0x1f, uint32(half)&0x3ff
	switch exponent {
	case 0: // zero, or subnormal: fraction * 2^-24
		magnitude := float32(fraction) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	case 0x1f: // infinity, or not a number
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
}
