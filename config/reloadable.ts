import type { Config, ListenerConfig } from './config.ts';

/**
 * What is in force after a reload: of the files everything that a running island can take over, of what runs the
 * rest. Which key is which, the schema says (`takesEffect`).
 */
export function afterReload(running: Config, files: Config): Config {
  return Object.freeze({
    ...files,
    file: running.file,
    directory: running.directory,
    serverName: running.serverName,
    signingKeyPath: running.signingKeyPath,
    linkKeyPath: running.linkKeyPath,
    dataDirectory: running.dataDirectory,
    listeners: Object.freeze(
      running.listeners.map((listener, index) => withNewTls(listener, files.listeners[index])),
    ),
    database: running.database,
    mediaStorePath: running.mediaStorePath,
    httpsProxy: running.httpsProxy,
    serverNotices: running.serverNotices,
    auditSyslog: running.auditSyslog,
  });
}

/** Renewed certificates are taken over; that there is TLS at all is decided at the start. */
function withNewTls(running: ListenerConfig, file: ListenerConfig | undefined): ListenerConfig {
  const isSame = file !== undefined && file.port === running.port && file.tls !== undefined;
  return isSame && running.tls !== undefined ? Object.freeze({ ...running, tls: file.tls }) : running;
}
