// SPDX-License-Identifier: Apache-2.0
// The tables of catalogue.db. doc/catalogue.md describes them; the names are for operators too.
#pragma once

namespace tidegate::sqlite {

constexpr int kSchemaVersion = 1;           // PRAGMA user_version
constexpr int kApplicationId = 0x54474341;  // PRAGMA application_id: "TGCA"

inline constexpr char kSchema[] = R"sql(
CREATE TABLE pipesinks (
  name       TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
  type       TEXT NOT NULL,
  attributes TEXT NOT NULL CHECK (json_type(attributes) = 'object')
) STRICT;

CREATE TABLE pipes (
  name                 TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
  created_unix_micros  INTEGER NOT NULL,
  dialect              TEXT NOT NULL CHECK (dialect IN ('data-sync', 'edge-cloud')),
  origin               TEXT NOT NULL CHECK (origin IN ('typed', 'yaml')),
  yaml_hash            TEXT NOT NULL CHECK ((origin = 'yaml') = (yaml_hash <> '')),
  wanted_state         TEXT NOT NULL CHECK (wanted_state IN ('running', 'stopped')),
  exception_message    TEXT NOT NULL,
  extractor            TEXT NOT NULL CHECK (json_type(extractor) = 'object'),
  processor            TEXT NOT NULL CHECK (json_type(processor) = 'object'),
  connector            TEXT NOT NULL CHECK (json_type(connector) = 'object'),
  pipesink             TEXT COLLATE NOCASE REFERENCES pipesinks (name),
  history_boundary_lsn INTEGER NOT NULL CHECK (history_boundary_lsn >= 0),
  link_stream          INTEGER NOT NULL CHECK (link_stream BETWEEN 0 AND 65535),
  outbox_folder        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_pipe_per_link_stream ON pipes (link_stream) WHERE link_stream <> 0;
CREATE UNIQUE INDEX one_pipe_per_outbox_folder ON pipes (outbox_folder) WHERE outbox_folder <> '';

CREATE TABLE spent_streams (
  link_stream         INTEGER NOT NULL PRIMARY KEY CHECK (link_stream BETWEEN 1 AND 65535),
  pipe                TEXT NOT NULL,
  dropped_unix_micros INTEGER NOT NULL
) STRICT;

CREATE TABLE plugins (
  name                TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
  class               TEXT NOT NULL,
  file                TEXT NOT NULL,
  sha256              TEXT NOT NULL CHECK (length(sha256) = 64),
  created_unix_micros INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  name          TEXT NOT NULL PRIMARY KEY,
  password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE grants (
  user      TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  privilege TEXT NOT NULL CHECK (privilege IN ('CREATE_PIPE', 'START_PIPE', 'STOP_PIPE', 'DROP_PIPE', 'SHOW_PIPES')),
  PRIMARY KEY (user, privilege)
) STRICT;

CREATE TABLE settings (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE VIEW pipes_readable AS
SELECT name,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_unix_micros / 1e6, 'unixepoch') AS created_utc,
       wanted_state, exception_message, dialect, origin,
       json_extract(extractor, '$.plugin') AS extractor,
       (SELECT group_concat(key || '=' || CASE WHEN lower(key) GLOB '*password' OR lower(key) GLOB '*token' OR
                                               lower(key) GLOB '*secret' THEN '******' ELSE value END, ', ')
          FROM json_each(pipes.extractor, '$.attributes')) AS extractor_attributes,
       json_extract(processor, '$.plugin') AS processor,
       (SELECT group_concat(key || '=' || CASE WHEN lower(key) GLOB '*password' OR lower(key) GLOB '*token' OR
                                               lower(key) GLOB '*secret' THEN '******' ELSE value END, ', ')
          FROM json_each(pipes.processor, '$.attributes')) AS processor_attributes,
       json_extract(connector, '$.plugin') AS connector,
       (SELECT group_concat(key || '=' || CASE WHEN lower(key) GLOB '*password' OR lower(key) GLOB '*token' OR
                                               lower(key) GLOB '*secret' THEN '******' ELSE value END, ', ')
          FROM json_each(pipes.connector, '$.attributes')) AS connector_attributes,
       pipesink, history_boundary_lsn,
       nullif(link_stream, 0) AS link_stream, nullif(outbox_folder, '') AS outbox_folder
  FROM pipes;
)sql";

}  // namespace tidegate::sqlite
