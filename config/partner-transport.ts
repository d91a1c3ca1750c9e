import { objectionToCertificates } from './check-paths.ts';
import type { PartnerConfig } from './config.ts';
import type { Draft, PartnerDraft } from './draft.ts';

/** How a partner is reached: what its entry says, else what `partner_defaults` says, key by key. */
export async function transportOf(
  draft: Draft,
  { raw, file, path }: PartnerDraft,
): Promise<PartnerConfig['transport']> {
  const own = raw.transport ?? {};
  const defaults = draft.raw.partner_defaults?.transport ?? {};
  const urls = own.urls ?? [];
  const dial = own.dial ?? defaults.dial ?? 'both';
  if (dial === 'outbound' && urls.length === 0)
    draft.report(
      file,
      file.offsetOf([...path, 'transport', 'dial']),
      'only we dial this partner, and there is no URL to dial',
      'add transport.urls',
    );
  return {
    type: 'link',
    urls,
    dial,
    allowPrivateIp: own.allow_private_ip ?? defaults.allow_private_ip ?? false,
    allowCleartext: own.allow_cleartext ?? defaults.allow_cleartext ?? false,
    tls: {
      caPath:
        own.tls?.ca_path === undefined
          ? defaultCaPath(draft)
          : await checkedCaPath(draft, file, [...path, 'transport'], own.tls.ca_path),
    },
  };
}

/** What `partner_defaults` says of the transport is checked once, whoever needs it. */
export async function checkDefaultTransport(draft: Draft): Promise<void> {
  const path = draft.raw.partner_defaults?.transport?.tls?.ca_path;
  if (path === undefined) return;
  const file = draft.fileOf('partner_defaults');
  await checkedCaPath(draft, file, ['partner_defaults', 'transport'], path);
}

function defaultCaPath(draft: Draft): string | undefined {
  const path = draft.raw.partner_defaults?.transport?.tls?.ca_path;
  return path === undefined ? undefined : draft.pathIn(draft.fileOf('partner_defaults'), path);
}

async function checkedCaPath(
  draft: Draft,
  file: PartnerDraft['file'],
  transport: PartnerDraft['path'],
  written: string,
): Promise<string> {
  const caPath = draft.pathIn(file, written);
  const objection = await objectionToCertificates(caPath);
  if (objection !== undefined)
    draft.report(file, file.offsetOf([...transport, 'tls', 'ca_path']), `ca_path ${objection.message}`);
  return caPath;
}
