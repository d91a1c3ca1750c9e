import { isObject, JsonError, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import { tagLength } from './noise/cipher-state.ts';
import { maxNoiseMessage } from './noise/handshake-xx.ts';

/** island-link §2. From 0x80 on a type that we do not know is ignored; below it is a mistake. */
export const frameTypes = {
  hello: 0x01,
  req: 0x02,
  res: 0x03,
  data: 0x04,
  window: 0x05,
  reset: 0x06,
  ping: 0x07,
  pong: 0x08,
  goaway: 0x09,
  notice: 0x0a,
} as const;

export const firstOptionalType = 0x80;

export const endFlag = 0x01;

const prefixLength = 8;

/** The longest frame: what is left of a Noise message without its tag. */
const maxFrame = maxNoiseMessage - tagLength;

/** Room for a header and a payload together. */
export const maxFrameContent = maxFrame - prefixLength;

/** Below this a request's or response's header leaves room for its body. */
export const maxHeader = 48 * 1024;

const maxHeaderDepth = 64;

export interface Frame {
  readonly type: number;
  readonly end: boolean;
  readonly stream: number;
  /** JSON text; empty where there is none. */
  readonly header: Buffer;
  readonly payload: Buffer;
}

export class FrameError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FrameError';
  }
}

const nothing = Buffer.alloc(0);

/** A frame as parts to be sealed one after the other: the payload is not copied. */
export function frameParts(
  type: number,
  stream: number,
  end: boolean,
  header: Buffer = nothing,
  payload: Buffer = nothing,
): Buffer[] {
  if (header.length + payload.length > maxFrameContent) throw new RangeError('The frame is too long');
  const prefix = Buffer.allocUnsafe(prefixLength);
  prefix[0] = type;
  prefix[1] = end ? endFlag : 0;
  prefix.writeUInt16BE(header.length, 2);
  prefix.writeUInt32BE(stream, 4);
  if (header.length === 0) return payload.length === 0 ? [prefix] : [prefix, payload];
  return payload.length === 0 ? [prefix, header] : [prefix, header, payload];
}

/** Takes a frame apart; header and payload are views of `bytes`. Throws `FrameError`. */
export function readFrame(bytes: Buffer): Frame {
  if (bytes.length < prefixLength) throw new FrameError('A frame is shorter than its prefix');
  const type = bytes.readUInt8(0);
  const flags = bytes.readUInt8(1);
  const headerEnd = prefixLength + bytes.readUInt16BE(2);
  if (headerEnd > bytes.length) throw new FrameError('A header is longer than its frame');
  return {
    type,
    end: (flags & endFlag) !== 0,
    stream: bytes.readUInt32BE(4),
    header: bytes.subarray(prefixLength, headerEnd),
    payload: bytes.subarray(headerEnd),
  };
}

/** Parses a header or a JSON payload: an object, nested at most 64 deep. Throws `FrameError`. */
export function readObject(text: Buffer): JsonObject {
  if (text.length === 0) return {};
  let value: JsonValue;
  try {
    value = parseJson(text, { maxDepth: maxHeaderDepth, numbers: 'any' });
  } catch (error) {
    if (error instanceof JsonError) throw new FrameError('A header is not valid JSON', error);
    throw error;
  }
  if (!isObject(value)) throw new FrameError('A header is not a JSON object');
  return value;
}

export function jsonBytes(value: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(value));
}
