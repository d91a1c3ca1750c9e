import { canonicalJson } from '../protocol/canonical-json.ts';
import type { Pdu } from '../protocol/event.ts';
import type { JsonObject } from '../protocol/json.ts';

const texts = new WeakMap<Pdu, string>();

/** The canonical text of a PDU, serialised once however often it is asked for. PDUs are never changed. */
export function pduText(pdu: Pdu): string {
  const known = texts.get(pdu);
  if (known !== undefined) return known;
  const text = canonicalJson(pdu as JsonObject);
  texts.set(pdu, text);
  return text;
}
