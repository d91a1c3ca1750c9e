/**
 * What RFC 8032 demands of the bytes of a key or signature and implementations are lax about: the scalar below the
 * group order, points in canonical encoding and not of small order.
 */

const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const prime = 2n ** 255n - 19n;

/** Encodings (sign bit cleared) of the y-coordinates of the eight points of small order. */
const smallOrder = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** Whether the 32 little-endian bytes are a scalar below the group order (the S of a signature). */
export function isReducedScalar(bytes: Uint8Array): boolean {
  // A top byte below 0x10 cannot reach the order: nearly always enough.
  const top = bytes[31] ?? 0xff;
  if (top < 0x10) return true;
  return top === 0x10 && littleEndian(bytes) < order;
}

/** Whether the 32 bytes may encode a point: y below the prime, and not a point of small order. */
export function isValidPoint(bytes: Uint8Array): boolean {
  const cleared = Uint8Array.from(bytes);
  cleared[31] = (cleared[31] ?? 0) & 0x7f;
  if (cleared[31] === 0x7f && cleared[30] === 0xff && littleEndian(cleared) >= prime) return false;
  return !smallOrder.has(Buffer.from(cleared).toString('hex'));
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
  return value;
}
