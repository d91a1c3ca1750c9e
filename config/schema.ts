import Type, { type Static } from 'typebox';
import type { TextKind } from './kinds.ts';
import { policySchema } from './policy-schema.ts';

/**
 * The keys of `homeserver.yaml`. Keys that Synapse also has keep its name and meaning. Each description begins with
 * what a change needs: [reload] takes effect when the configuration is read again, [restart] at the next start.
 */

function text(kind: TextKind, description: string) {
  return Type.String({ kind, description });
}

const closed = { additionalProperties: false };
const keyId = '^ed25519:[a-zA-Z0-9_]{1,64}$';

const listener = Type.Object(
  {
    port: Type.Integer({ minimum: 1, maximum: 65_535, description: '[restart] TCP port.' }),
    bind_addresses: Type.Optional(
      Type.Array(text('address', 'An IP address.'), {
        minItems: 1,
        description: '[restart] Addresses to listen on; 127.0.0.1 by default.',
      }),
    ),
    x_forwarded: Type.Optional(
      Type.Boolean({
        description: '[restart] Believe X-Forwarded-For of the trusted proxies; false by default.',
      }),
    ),
    trusted_proxies: Type.Optional(
      Type.Array(text('address-range', 'An IP address or a range.'), {
        description: '[restart] Reverse proxies whose X-Forwarded-For is believed.',
      }),
    ),
    resources: Type.Optional(
      Type.Array(Type.Enum(['client', 'federation', 'link'], { description: 'What is served.' }), {
        minItems: 1,
        description: '[restart] What is served here; everything by default.',
      }),
    ),
  },
  closed,
);

const database = Type.Object(
  {
    type: Type.Enum(['sqlite', 'postgres'], { description: '[restart] Which database.' }),
    path: Type.Optional(
      text('path', '[restart] The file of a SQLite database; data/homeserver.db by default.'),
    ),
    url: Type.Optional(text('secret', '[restart] postgres://USER:PASSWORD@HOST/DATABASE.')),
    url_path: Type.Optional(text('path', '[restart] A file that holds the URL.')),
  },
  { ...closed, description: '[restart] Where everything is kept.' },
);

const organization = Type.Object(
  {
    name: Type.Optional(text('line', '[reload] The name of the company; partners see it on the card.')),
    admin_contact: Type.Optional(
      text('line', '[reload] How the admin is reached, such as mailto:it@acme.example.'),
    ),
  },
  { ...closed, description: '[reload] Who runs this island.' },
);

const verifyKey = Type.Object(
  {
    key: text('verify-key', '[reload] The public key, unpadded Base64.'),
    valid_until: Type.Optional(
      text('end', '[reload] For an old key: events signed later than this do not count.'),
    ),
  },
  closed,
);

const transport = Type.Object(
  {
    type: Type.Optional(Type.Enum(['link'], { description: '[reload] How events travel.' })),
    urls: Type.Optional(
      Type.Array(text('link-url', 'wss://HOST/_archipelago/link/v1'), {
        maxItems: 8,
        description: '[reload] Where their link listens; without any only they can dial.',
      }),
    ),
    dial: Type.Optional(
      Type.Enum(['both', 'outbound', 'inbound'], {
        description: '[reload] Who dials, seen from here; both by default.',
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          ca_path: Type.Optional(
            text('path', '[reload] PEM file of the authority that their TLS is signed by.'),
          ),
        },
        closed,
      ),
    ),
    allow_private_ip: Type.Optional(
      Type.Boolean({
        description: '[reload] May be dialled at a private address; false by default. Loopback always may.',
      }),
    ),
    allow_cleartext: Type.Optional(
      Type.Boolean({ description: '[reload] May be dialled by ws:// beyond loopback; false by default.' }),
    ),
  },
  { ...closed, description: '[reload] How the partner is reached.' },
);

const partner = Type.Object(
  {
    server_name: text('server-name', '[reload] The name, exactly.'),
    display_name: Type.Optional(text('line', '[reload] What the partner is called here.')),
    relation: Type.Optional(
      Type.Enum(['supplier', 'customer', 'carrier', 'subsidiary', 'partner'], {
        description: '[reload] What they are to us.',
      }),
    ),
    state: Type.Optional(Type.Enum(['active', 'suspended'], { description: '[reload] active by default.' })),
    valid_until: Type.Optional(
      text('end', '[reload] The last day of the contract; from then on the partner is suspended.'),
    ),
    verify_keys: Type.Record(Type.String({ pattern: keyId }), verifyKey, {
      minProperties: 1,
      keyForm: 'ed25519:VERSION',
      description: '[reload] Their signing keys, pinned, old ones included: there is no trust on first use.',
    }),
    transport: Type.Optional(transport),
    policy: Type.Optional(policySchema),
    card: Type.Optional(
      Type.Object(
        { issued: text('moment', '[reload] When the card in force was issued.') },
        { ...closed, description: '[reload] Written by `archipelago partner add`.' },
      ),
    ),
  },
  closed,
);

export const homeserverSchema = Type.Object(
  {
    server_name: text(
      'server-name',
      '[restart] The name of this island, in every user id. It can never change.',
    ),
    public_baseurl: Type.Optional(
      text('base-url', '[restart] Where clients and partners reach this island from outside.'),
    ),
    signing_key_path: Type.Optional(
      text('path', '[restart] The signing key; made at the first start. data/signing.key by default.'),
    ),
    listeners: Type.Optional(
      Type.Array(listener, {
        minItems: 1,
        description: '[restart] Where this island listens; 127.0.0.1:8008 by default.',
      }),
    ),
    database: Type.Optional(database),
    media_store_path: Type.Optional(text('path', '[restart] The folder for files; data/media by default.')),
    max_upload_size: Type.Optional(
      text('size', '[restart] The largest file that may be uploaded; 50M by default.'),
    ),
    enable_registration: Type.Optional(
      Type.Boolean({ description: '[restart] Whether anybody may open an account; false by default.' }),
    ),
    registration_shared_secret: Type.Optional(
      text('secret', '[restart] Lets provisioning tools make users at /_synapse/admin/v1/register.'),
    ),
    registration_shared_secret_path: Type.Optional(text('path', '[restart] A file that holds that secret.')),
    trusted_key_servers: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 0,
        tooMany: 'must stay empty: only pinned keys are believed here',
        description: '[restart] Always empty: only pinned keys are believed.',
      }),
    ),
    https_proxy: Type.Optional(
      text('proxy-url', '[restart] An HTTP proxy for links to partners (CONNECT), http://HOST:PORT.'),
    ),
    organization: Type.Optional(organization),
    default_room_version: Type.Optional(
      text('room-version', '[restart] The version of new rooms; "12" by default.'),
    ),
    card_lifetime: Type.Optional(
      text('duration', '[reload] How long a card of `archipelago partner card` can be used; 30d by default.'),
    ),
    partner_defaults: Type.Optional(
      Type.Object(
        { policy: Type.Optional(policySchema) },
        { ...closed, description: '[reload] What holds for a partner whose entry says nothing else.' },
      ),
    ),
    partners: Type.Optional(
      Type.Array(partner, {
        description: '[reload] The servers that this island talks to. None: it talks to nobody.',
      }),
    ),
  },
  { ...closed, description: 'homeserver.yaml' },
);

/** What the files say together, after the check against the schema. A key without a value counts as absent. */
export type RawConfig = Static<typeof homeserverSchema>;
export type RawPartner = Static<typeof partner>;
export type RawListener = Static<typeof listener>;
