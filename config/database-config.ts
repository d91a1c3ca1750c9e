/** Which database. `maxPageCount` limits SQLite's size, in pages of 4 KiB. */
export type DatabaseConfig =
  | { readonly type: 'sqlite'; readonly path: string; readonly maxPageCount?: number | undefined }
  | { readonly type: 'postgres'; readonly url: string };
