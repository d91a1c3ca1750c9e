/** Unpadded Base64 (appendices, "Unpadded Base64"): written without padding, read with or without it. */

export function encodeBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64').replace(/=+$/, '');
}

/** The URL-safe alphabet of event ids and of room ids in room version 12. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

/** Undefined for anything that is not Base64: Node itself skips what it does not know. */
export function decodeBase64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? decode(text, 'base64') : undefined;
}

export function decodeBase64Url(text: string): Buffer | undefined {
  return /^[A-Za-z0-9_-]*={0,2}$/.test(text) ? decode(text, 'base64url') : undefined;
}

function decode(text: string, encoding: 'base64' | 'base64url'): Buffer | undefined {
  const digits = text.replace(/=+$/, '');
  if (digits.length % 4 === 1) return undefined;
  if (text.length !== digits.length && text.length % 4 !== 0) return undefined;
  return Buffer.from(digits, encoding);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
