// polyseme.v1.Tensor becomes rows of numbers.

// BINARY is missing: its bits stay packed.
const READERS = {
  DATA_TYPE_FLOAT32: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  DATA_TYPE_FLOAT16: { size: 2, read: (view, at) => fromHalf(view.getUint16(at, true)) },
  DATA_TYPE_BFLOAT16: { size: 2, read: (view, at) => fromBits(view.getUint16(at, true) << 16) },
  DATA_TYPE_INT8: { size: 1, read: (view, at) => view.getInt8(at) },
};

/** Give the rows of a tensor, each a Float32Array: the last axis of its shape, one for each entry of the others. */
export function decode({ dtype, shape, data, scales }) {
  const reader = READERS[dtype];
  if (!reader) throw new Error(`tensor of dtype ${dtype}; float32, float16, bfloat16 or int8 expected`);
  if (!shape.length) throw new Error('tensor without a shape');
  const width = shape.at(-1);
  const rows = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  const expected = rows * width * reader.size;
  if (data.length !== expected) {
    throw new Error(`tensor of shape [${shape}] has ${data.length} bytes; ${expected} expected`);
  }
  const scaled = dtype === 'DATA_TYPE_INT8';
  if (scaled && scales.length !== 4 * rows) {
    throw new Error(`tensor of shape [${shape}] has ${scales.length} bytes of scales; ${4 * rows} expected`);
  }
  // A DataView and no Float32Array over the bytes: they may start at any address, and are little-endian everywhere.
  const elements = viewOf(data);
  return Array.from({ length: rows }, (_, row) => {
    const scale = scaled ? viewOf(scales).getFloat32(4 * row, true) : 1;
    const start = row * width * reader.size;
    const element = (_, column) => scale * reader.read(elements, start + column * reader.size);
    return Float32Array.from({ length: width }, element);
  });
}

/** Widen an IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. No value is rounded. */
export function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero, or subnormal
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function fromBits(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, bits);
  return view.getFloat32(0);
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
