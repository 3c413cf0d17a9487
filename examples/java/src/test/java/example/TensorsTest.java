package example;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import polyseme.v1.TensorOuterClass.DataType;
import polyseme.v1.TensorOuterClass.Tensor;

class TensorsTest {
    private static Tensor tensor(DataType dtype, List<Long> shape, String data, String scales) {
        return Tensor.newBuilder()
                .setDtype(dtype)
                .addAllShape(shape)
                .setData(ByteString.copyFrom(HexFormat.of().parseHex(data)))
                .setScales(ByteString.copyFrom(HexFormat.of().parseHex(scales)))
                .build();
    }

    @Test
    void decodes() {
        assertArrayEquals(
                new float[][] {{1, -2.5f}},
                Tensors.decode(tensor(DataType.DATA_TYPE_FLOAT32, List.of(1L, 2L), "0000803f000020c0", "")));
        assertArrayEquals(
                new float[][] {{1}, {-2.5f}},
                Tensors.decode(tensor(DataType.DATA_TYPE_FLOAT16, List.of(2L, 1L), "003c00c1", "")));
        assertArrayEquals(
                new float[][] {{1, -2.5f}},
                Tensors.decode(tensor(DataType.DATA_TYPE_BFLOAT16, List.of(2L), "803f20c0", "")));
        assertArrayEquals(
                new float[][] {{63.5f, -63.5f}, {8, -2}},
                Tensors.decode(tensor(DataType.DATA_TYPE_INT8, List.of(2L, 2L), "7f8104ff", "0000003f00000040")));
        assertArrayEquals(
                new float[0][], Tensors.decode(tensor(DataType.DATA_TYPE_FLOAT32, List.of(0L, 384L), "", "")));
    }

    @Test
    void refuses() {
        Map.of(
                        tensor(DataType.DATA_TYPE_FLOAT32, List.of(2L), "00".repeat(7), ""),
                        "tensor of shape [2] has 7 bytes; 8 expected",
                        tensor(DataType.DATA_TYPE_INT8, List.of(1L, 2L), "0000", ""),
                        "tensor of shape [1, 2] has 0 bytes of scales; 4 expected",
                        tensor(DataType.DATA_TYPE_FLOAT32, List.of(), "", ""),
                        "tensor without a shape",
                        tensor(DataType.DATA_TYPE_BINARY, List.of(8L), "01", ""),
                        "tensor of dtype DATA_TYPE_BINARY; float32, float16, bfloat16 or int8 expected")
                .forEach((tensor, message) -> assertEquals(
                        message,
                        assertThrows(IllegalArgumentException.class, () -> Tensors.decode(tensor)).getMessage()));
    }

    @Test
    void widensHalves() {
        Map.of(
                        0x0000, 0x00000000,
                        0x8000, 0x80000000, // -0
                        0x0001, 0x33800000, // 2^-24, the smallest
                        0x83ff, 0xb87fc000, // the largest subnormal, negative
                        0x0400, 0x38800000, // 2^-14, the smallest normal
                        0x3555, 0x3eaaa000, // about 1/3
                        0x7bff, 0x477fe000, // 65504, the largest
                        0x7c00, 0x7f800000,
                        0xfc00, 0xff800000,
                        0x7e00, 0x7fc00000)
                .forEach((half, bits) ->
                        assertEquals(bits, Float.floatToRawIntBits(Tensors.fromHalf(half.shortValue()))));
    }
}
