import Type, { type Static } from 'typebox';
import { policySchema } from './policy-schema.ts';
import { closed, text } from './schema-kit.ts';

const keyId = '^ed25519:[a-zA-Z0-9_]{1,64}$';

const verifyKey = Type.Object(
  {
    key: text('verify-key', 'The public key, unpadded Base64.', {
      examples: ['Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw'],
    }),
    valid_until: Type.Optional(
      text('end', 'For an old key: events signed later than this do not count.', {
        examples: ['2026-10-31T12:00:00Z'],
      }),
    ),
  },
  closed,
);

const transportType = Type.Optional(
  Type.Enum(['link'], {
    description: 'How the two talk: link is the WebSocket between islands.',
    default: 'link',
  }),
);

const dial = Type.Optional(
  Type.Enum(['both', 'outbound', 'inbound'], {
    description: 'Who dials, seen from here.',
    default: 'both',
  }),
);

const allowPrivateIp = Type.Optional(
  Type.Boolean({
    description: 'May be dialled at a private address. Loopback always may.',
    default: false,
  }),
);

const allowCleartext = Type.Optional(
  Type.Boolean({ description: 'May be dialled by ws:// beyond loopback.', default: false }),
);

const transportTls = Type.Optional(
  Type.Object(
    {
      ca_path: Type.Optional(
        text(
          'path',
          'PEM file of the authority that their TLS is signed by; then no other one is believed.',
          {
            byDefault: 'the authorities of this machine',
          },
        ),
      ),
    },
    closed,
  ),
);

const transport = Type.Object(
  {
    type: transportType,
    urls: Type.Optional(
      Type.Array(text('link-url', 'wss://HOST, or wss://HOST/_archipelago/link/v1.'), {
        description: 'Where their link listens; without any only they can dial.',
        default: [],
        examples: [['wss://chat.bolt.example/_archipelago/link/v1']],
      }),
    ),
    dial,
    tls: transportTls,
    allow_private_ip: allowPrivateIp,
    allow_cleartext: allowCleartext,
  },
  { ...closed, description: 'How the partner is reached.' },
);

/** An entry of `partners`. */
export const partnerSchema = Type.Object(
  {
    server_name: text(
      'partner-name',
      'The name, exactly. There are no patterns: keys belong to one server.',
      {
        examples: ['bolt.example'],
      },
    ),
    display_name: Type.Optional(text('line', 'What the partner is called here.', { examples: ['Bolt Ltd'] })),
    relation: Type.Optional(
      Type.Enum(['supplier', 'customer', 'carrier', 'subsidiary', 'partner'], {
        description: 'What they are to us.',
      }),
    ),
    state: Type.Optional(
      Type.Enum(['active', 'suspended'], {
        description: 'suspended: nothing crosses, and what waits is kept.',
        default: 'active',
      }),
    ),
    valid_until: Type.Optional(
      text('end', 'The last day of the contract (UTC); from then on the partner is suspended by itself.', {
        byDefault: 'no end',
        examples: ['2027-12-31'],
      }),
    ),
    verify_keys: Type.Record(Type.String({ pattern: keyId }), verifyKey, {
      minProperties: 1,
      keyForm: 'ed25519:VERSION',
      description: 'Their signing keys, pinned, old ones included: there is no trust on first use.',
    }),
    recovery_keys: Type.Optional(
      Type.Record(Type.String({ pattern: keyId }), Type.Object({ key: verifyKey.properties.key }, closed), {
        keyForm: 'ed25519:VERSION',
        description:
          'Offline keys of theirs, from their card: with one of them they can prove a new signing key after they lost theirs.',
        byDefault: 'none',
      }),
    ),
    rotation: Type.Optional(
      Type.Enum(['signed', 'manual'], {
        description:
          'signed: a new signing key is taken over when a pinned key, or a recovery key, signed for it. manual: only `archipelago partner accept-key` or a new card brings one.',
        default: 'signed',
      }),
    ),
    transport: Type.Optional(transport),
    policy: Type.Optional(policySchema),
    card: Type.Optional(
      Type.Object(
        {
          issued: text('moment', 'When the card in force was issued.', {
            examples: ['2026-11-01T10:00:00.000Z'],
          }),
        },
        { ...closed, description: 'Written by `archipelago partner add`.' },
      ),
    ),
  },
  closed,
);

/** `partner_defaults`. */
export const partnerDefaultsSchema = Type.Object(
  {
    transport: Type.Optional(
      Type.Object(
        {
          type: transportType,
          dial,
          tls: transportTls,
          allow_private_ip: allowPrivateIp,
          allow_cleartext: allowCleartext,
        },
        { ...closed, description: 'How partners are reached. URLs belong to the single partner.' },
      ),
    ),
    policy: Type.Optional(policySchema),
  },
  {
    ...closed,
    takesEffect: 'reload',
    description: 'What holds for a partner whose entry says nothing else, key by key.',
  },
);

export type RawPartner = Static<typeof partnerSchema>;
