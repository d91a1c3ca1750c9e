import { stringify } from 'yaml';

/** A `homeserver.yaml` that boots as it is, with what most admins will want to change. */
export function initialConfig(serverName: string, port: number): string {
  const host = serverName.replace(/:\d+$/, '');
  return `# The island ${serverName}. After a change: archipelago check-config, then archipelago reload.
# Paths are relative to this file. What is not here has a default that is meant to be kept.

# Stands in every user id (@ann:${serverName}) and can never change.
server_name: ${stringify(serverName).trim()}

# Where clients and partners reach this island from outside: your reverse proxy, with TLS.
# public_baseurl: https://${host}/

listeners:
  - port: ${port}
    bind_addresses: [127.0.0.1]
    # With a reverse proxy on this machine:
    # x_forwarded: true
    # trusted_proxies: [127.0.0.1]

  # The admin API, for users with roles (archipelago user role add); commands need none of it:
  # - port: 8009
  #   bind_addresses: [127.0.0.1]
  #   resources: [admin, health]

# All there is of this island is in data/: keys, messages, files. Keep it private, and back it up.
signing_key_path: data/signing.key
database: {type: sqlite, path: data/homeserver.db}
media_store_path: data/media

# What partners read on your card.
# organization: {name: Our Company Ltd}

# Partners: none, so this island talks to nobody. \`archipelago partner add CARD\` writes conf.d/partners/NAME.yaml.
`;
}
