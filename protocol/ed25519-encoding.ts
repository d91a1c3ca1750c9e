/**
 * What RFC 8032 demands of the bytes of a key or signature and implementations are lax about: the scalar below the
 * group order, points in canonical encoding and not of small order. Numbers are compared as hexadecimal texts of 64
 * digits, which have the same order.
 */

/** 2^252 + 27742317777372353535851937790883648493 */
const order = '1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed';
/** 2^255 - 19 */
const prime = '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed';

/** The y-coordinates of the eight points of small order: two of them belong to one point, three to two. */
const smallOrder = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000001',
  '05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826',
  '7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7',
  '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec',
]);

/** Whether the 32 little-endian bytes are a scalar below the group order (the S of a signature). */
export function isReducedScalar(bytes: Uint8Array): boolean {
  return bigEndian(bytes).toString('hex') < order;
}

/** Whether the 32 bytes may encode a point: y below the prime, and not a point of small order. */
export function isValidPoint(bytes: Uint8Array): boolean {
  const number = bigEndian(bytes);
  // The highest bit is the sign of x.
  number.writeUInt8(number.readUInt8() & 0x7f);
  const y = number.toString('hex');
  return y < prime && !smallOrder.has(y);
}

function bigEndian(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes).reverse();
}
