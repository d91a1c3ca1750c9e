/** `invalid`: it could never be. `conflict`: it cannot be as things stand. */
export type AdminErrorKind = 'invalid' | 'not-found' | 'conflict' | 'forbidden';

/** Something that the administrator can put right; the message says what and how, in one line. */
export class AdminError extends Error {
  readonly kind: AdminErrorKind;

  constructor(message: string, options: { cause?: unknown; kind?: AdminErrorKind } = {}) {
    super(message, options);
    this.name = 'AdminError';
    this.kind = options.kind ?? 'invalid';
  }
}

/** The code of a system error (`EADDRINUSE`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
