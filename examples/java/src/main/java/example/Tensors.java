package example;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import polyseme.v1.TensorOuterClass.DataType;
import polyseme.v1.TensorOuterClass.Tensor;

/** polyseme.v1.Tensor becomes arrays. */
final class Tensors {
    private Tensors() {}

    /** Gives the rows of a tensor: the last axis of its shape, one for each entry of the other axes. */
    static float[][] decode(Tensor tensor) {
        List<Long> shape = tensor.getShapeList();
        if (shape.isEmpty()) {
            throw new IllegalArgumentException("tensor without a shape");
        }
        int width = Math.toIntExact(shape.get(shape.size() - 1));
        int rows = Math.toIntExact(shape.stream().limit(shape.size() - 1L).reduce(1L, Math::multiplyExact));
        expect("bytes", tensor.getData().size(), (long) rows * width * elementBytes(tensor.getDtype()), shape);
        boolean scaled = tensor.getDtype() == DataType.DATA_TYPE_INT8;
        expect("bytes of scales", tensor.getScales().size(), scaled ? 4L * rows : 0, shape);
        ByteBuffer data = tensor.getData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer scales = tensor.getScales().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        float[][] result = new float[rows][width];
        for (float[] row : result) {
            float scale = scaled ? scales.getFloat() : 1;
            for (int column = 0; column < width; column++) {
                row[column] = scale * next(tensor.getDtype(), data);
            }
        }
        return result;
    }

    private static void expect(String what, int got, long expected, List<Long> shape) {
        if (got != expected) {
            throw new IllegalArgumentException(
                    "tensor of shape %s has %d %s; %d expected".formatted(shape, got, what, expected));
        }
    }

    private static int elementBytes(DataType dtype) {
        return switch (dtype) {
            case DATA_TYPE_FLOAT32 -> 4;
            case DATA_TYPE_FLOAT16, DATA_TYPE_BFLOAT16 -> 2;
            case DATA_TYPE_INT8 -> 1;
            // BINARY: its bits stay packed.
            default -> throw new IllegalArgumentException(
                    "tensor of dtype " + dtype + "; float32, float16, bfloat16 or int8 expected");
        };
    }

    private static float next(DataType dtype, ByteBuffer data) {
        return switch (dtype) {
            case DATA_TYPE_FLOAT32 -> data.getFloat();
            case DATA_TYPE_FLOAT16 -> fromHalf(data.getShort());
            case DATA_TYPE_BFLOAT16 -> Float.intBitsToFloat(data.getShort() << 16);
            default -> data.get();
        };
    }

    /**
     * Widens an IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. No value is rounded. From
     * Java 20 on this is Float.float16ToFloat.
     */
    static float fromHalf(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = half >> 10 & 0x1f;
        int fraction = half & 0x3ff;
        return switch (exponent) {
            case 0 -> Float.intBitsToFloat(sign | Float.floatToIntBits(fraction * 0x1p-24f)); // zero, or subnormal
            case 0x1f -> Float.intBitsToFloat(sign | 0xff << 23 | fraction << 13); // infinity, or not a number
            default -> Float.intBitsToFloat(sign | exponent + 127 - 15 << 23 | fraction << 13);
        };
    }
}
