/**
 * Arithmetic on the curve of Ed25519 (RFC 8032, section 5.1), as plain as it can be: to make keys and signatures that
 * no honest signer makes.
 */

export const fieldPrime = 2n ** 255n - 19n;

/** The order of the base point. */
export const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

const d = mod(-121665n * inverse(121666n));

export const neutral: Point = { x: 0n, y: 1n };

export const basePoint: Point = {
  x: 15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  y: 46316835694926478169428394003475163141307993866256225615783033603165251855960n,
};

function mod(value: bigint): bigint {
  return ((value % fieldPrime) + fieldPrime) % fieldPrime;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

function inverse(value: bigint): bigint {
  return power(value, fieldPrime - 2n);
}

/** x = X/Z, y = Y/Z, x·y = T/Z. */
type Extended = readonly [X: bigint, Y: bigint, Z: bigint, T: bigint];

function sum([x1, y1, z1, t1]: Extended, [x2, y2, z2, t2]: Extended): Extended {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(t1 * 2n * d * t2);
  const f = z1 * 2n * z2 - c;
  const g = z1 * 2n * z2 + c;
  return [mod((b - a) * f), mod(g * (b + a)), mod(f * g), mod((b - a) * (b + a))];
}

function extend({ x, y }: Point): Extended {
  return [x, y, 1n, mod(x * y)];
}

function reduce([x, y, z]: Extended): Point {
  const over = inverse(z);
  return { x: mod(x * over), y: mod(y * over) };
}

export function add(a: Point, b: Point): Point {
  return reduce(sum(extend(a), extend(b)));
}

export function multiply(point: Point, factor: bigint): Point {
  let result = extend(neutral);
  let double = extend(point);
  for (let rest = factor; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = sum(result, double);
    double = sum(double, double);
  }
  return reduce(result);
}

/** 32 bytes, little end first: y, and the lowest bit of x in the highest bit. */
export function encodePoint({ x, y }: Point): Buffer {
  return encodeNumber(y | ((x & 1n) << 255n));
}

export function encodeNumber(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

export function decodeNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** The point with this y and an even or odd x, if there is one. */
export function pointAt(y: bigint): Point | undefined {
  const square = mod((y * y - 1n) * inverse(d * y * y + 1n));
  const candidate = power(square, (fieldPrime + 3n) / 8n);
  for (const x of [candidate, mod(candidate * power(2n, (fieldPrime - 1n) / 4n))])
    if (mod(x * x) === square) return { x, y };
  return undefined;
}

/** A point of order eight: its multiples are all points of small order. */
export function pointOfOrderEight(): Point {
  for (let y = 2n; ; y += 1n) {
    const point = pointAt(y);
    if (point === undefined) continue;
    const small = multiply(point, groupOrder);
    if (multiply(small, 4n).y !== neutral.y) return small;
  }
}
