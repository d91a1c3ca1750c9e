/** `invalid`: it could never be. `conflict`: it cannot be as things stand. */
export type AdminErrorKind = 'invalid' | 'not-found' | 'conflict' | 'forbidden';

/** Something that the administrator can put right; the message says what and how, in one line. */
export class AdminError extends Error {
  readonly kind: AdminErrorKind;
  /** The parameter of an operation that is wrong. */
  readonly param: string | undefined;

  constructor(message: string, options: { cause?: unknown; kind?: AdminErrorKind; param?: string } = {}) {
    super(message, options);
    this.name = 'AdminError';
    this.kind = options.kind ?? 'invalid';
    this.param = options.param;
  }
}

/** The code of a system error (`EADDRINUSE`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
