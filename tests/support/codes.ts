import assert from 'node:assert/strict';
import { type Answer, at, listAt } from './client.ts';

/** The codes for which the border refused a client's request; the answer must be such a refusal. */
export async function codesOf(request: Promise<Answer>): Promise<unknown[]> {
  const { status, body } = await request;
  assert.deepEqual([status, body['errcode']], [403, 'M_FORBIDDEN'], JSON.stringify(body));
  return [...new Set(listAt(body, 'org.archipelago.violations').map((violation) => at(violation, 'code')))];
}
