/** Something that the administrator can put right; the message says what and how, in one line. */
export class AdminError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'AdminError';
  }
}

/** The code of a system error (`EADDRINUSE`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
