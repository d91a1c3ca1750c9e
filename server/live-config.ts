import type { Config } from '../config/config.ts';

/** The configuration in force. A reload puts another one in its place; whoever holds this sees it at once. */
export class LiveConfig {
  #current: Config;

  constructor(config: Config) {
    this.#current = config;
  }

  get current(): Config {
    return this.#current;
  }

  replace(config: Config): void {
    this.#current = config;
  }

  /** What the client API reads of it: keys that give at each look what is in force then. */
  clientView(): Pick<
    Config,
    | 'serverName'
    | 'publicBaseurl'
    | 'enableRegistration'
    | 'registrationSharedSecret'
    | 'maxUploadSize'
    | 'defaultRoomVersion'
    | 'encryption'
  > {
    const current = () => this.#current;
    return {
      serverName: this.#current.serverName,
      get publicBaseurl() {
        return current().publicBaseurl;
      },
      get enableRegistration() {
        return current().enableRegistration;
      },
      get registrationSharedSecret() {
        return current().registrationSharedSecret;
      },
      get maxUploadSize() {
        return current().maxUploadSize;
      },
      get encryption() {
        return current().encryption;
      },
      get defaultRoomVersion() {
        return current().defaultRoomVersion;
      },
    };
  }
}
