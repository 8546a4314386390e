// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/sqlite_rows.h"

#include "pipe/catalogue/catalogue_json.h"

namespace tidegate::sqlite {
namespace {

constexpr char kReading[] = "read the catalogue";
constexpr char kWriting[] = "change the catalogue";

Error bad_row(const std::string& row, const std::string& why) {
  return make_error(ErrorCode::kDamaged,
                    "the catalogue was edited to something that cannot be: " + row + ": " + why);
}

Result<Attributes> part(const Query& row, int column, const char* name, const std::string& pipe) {
  auto out = parse_attributes_json(row.text(column));
  if (!out.ok()) return bad_row("pipe '" + pipe + "', " + name, out.error().detail);
  return out;
}

template <class T>
Result<T> choice(const Query& row, int column, std::optional<T> (*parse)(std::string_view),
                 const std::string& what) {
  const std::string text = row.text(column);
  const std::optional<T> value = parse(text);
  if (!value) return bad_row(what, "'" + text + "' is not known");
  return *value;
}

Result<PipeDefinition> pipe_of(const Query& row) {
  PipeDefinition pipe;
  pipe.name = row.text(0);
  const std::string what = "pipe '" + pipe.name + "'";
  pipe.created_micros = row.number(1);
  TG_TRY(pipe.dialect, choice<PipeDialect>(row, 2, parse_dialect, what));
  TG_TRY(pipe.origin, choice<PipeOrigin>(row, 3, parse_origin, what));
  pipe.yaml_hash = row.text(4);
  TG_TRY(pipe.wanted, choice<WantedState>(row, 5, parse_wanted_state, what));
  pipe.exception_message = row.text(6);
  TG_TRY(pipe.extractor, part(row, 7, "extractor", pipe.name));
  TG_TRY(pipe.processor, part(row, 8, "processor", pipe.name));
  TG_TRY(pipe.connector, part(row, 9, "connector", pipe.name));
  pipe.pipesink = row.text(10);
  pipe.history_boundary = static_cast<Lsn>(row.number(11));
  pipe.stream = static_cast<StreamId>(row.number(12));
  pipe.outbox = row.text(13);
  return pipe;
}

Status read_pipes(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows,
         db.prepare("SELECT name, created_unix_micros, dialect, origin, yaml_hash, wanted_state, "
                    "exception_message, extractor, processor, connector, pipesink, history_boundary_lsn, "
                    "link_stream, outbox_folder FROM pipes",
                    kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) return {};
    TG_TRY(PipeDefinition pipe, pipe_of(rows));
    // As put_pipe() of changes.cc: an operator may have written the reference in another case.
    if (const auto sink = out.pipesinks.find(pipe.pipesink); sink != out.pipesinks.end())
      pipe.pipesink = sink->first;
    out.pipes.emplace(pipe.name, std::move(pipe));
  }
}

Status read_pipesinks(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows, db.prepare("SELECT name, type, attributes FROM pipesinks", kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) return {};
    auto attributes = parse_text_map_json(rows.text(2));
    if (!attributes.ok()) return bad_row("pipesink '" + rows.text(0) + "'", attributes.error().detail);
    out.pipesinks.emplace(rows.text(0),
                          PipesinkDefinition{rows.text(0), rows.text(1), std::move(*attributes)});
  }
}

Status read_plugins(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows,
         db.prepare("SELECT name, class, file, sha256, created_unix_micros FROM plugins", kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) return {};
    out.plugins.emplace(rows.text(0), PluginDefinition{rows.text(0), rows.text(1), rows.text(2), rows.text(3),
                                                       rows.number(4)});
  }
}

Status read_users(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows, db.prepare("SELECT name, password_hash FROM users", kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) break;
    out.users.emplace(rows.text(0), UserDefinition{rows.text(0), rows.text(1), {}});
  }
  TG_TRY(Query grants, db.prepare("SELECT user, privilege FROM grants", kReading));
  for (;;) {
    TG_TRY(const bool more, grants.step());
    if (!more) return {};
    const std::string what = "a privilege of user '" + grants.text(0) + "'";
    const auto user = out.users.find(grants.text(0));
    if (user == out.users.end()) return bad_row(what, "there is no such user");
    TG_TRY(const PipePrivilege privilege, choice<PipePrivilege>(grants, 1, parse_privilege, what));
    user->second.privileges.insert(privilege);
  }
}

Status read_spent_streams(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows,
         db.prepare("SELECT link_stream, pipe, dropped_unix_micros FROM spent_streams", kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) return {};
    out.spent_streams.emplace(static_cast<StreamId>(rows.number(0)),
                              SpentStream{rows.text(1), rows.number(2)});
  }
}

Status read_settings(Database& db, CatalogueSnapshot& out) {
  TG_TRY(Query rows, db.prepare("SELECT key, value FROM settings", kReading));
  for (;;) {
    TG_TRY(const bool more, rows.step());
    if (!more) return {};
    out.settings.emplace(rows.text(0), rows.text(1));
  }
}

// What has to be written to turn one map into another: keys that leave, entries that come or change.
template <class Map, class Remove, class Put>
Status differences(const Map& from, const Map& to, const Remove& remove, const Put& put) {
  for (const auto& [key, value] : from)
    if (!to.contains(key)) TG_CHECK(remove(key));
  for (const auto& [key, value] : to) {
    const auto old = from.find(key);
    if (old == from.end() || old->first != key || !(old->second == value)) TG_CHECK(put(key, value));
  }
  return {};
}

Status write_pipe(Query& put, const PipeDefinition& pipe) {
  put.bind(pipe.name).bind(pipe.created_micros).bind(dialect_name(pipe.dialect));
  put.bind(origin_name(pipe.origin)).bind(pipe.yaml_hash).bind(wanted_state_name(pipe.wanted));
  put.bind(pipe.exception_message).bind(attributes_json(pipe.extractor));
  put.bind(attributes_json(pipe.processor)).bind(attributes_json(pipe.connector));
  if (pipe.pipesink.empty()) {
    put.bind_null();
  } else {
    put.bind(pipe.pipesink);
  }
  put.bind(static_cast<std::int64_t>(pipe.history_boundary)).bind(std::int64_t{pipe.stream});
  return put.bind(pipe.outbox).run();
}

Status write_pipes(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query drop, db.prepare("DELETE FROM pipes WHERE name = ?", kWriting));
  TG_TRY(Query put, db.prepare("INSERT OR REPLACE INTO pipes (name, created_unix_micros, dialect, origin, "
                               "yaml_hash, wanted_state, exception_message, extractor, processor, connector, "
                               "pipesink, history_boundary_lsn, link_stream, outbox_folder) "
                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                               kWriting));
  // All that change leave first: then two may exchange a stream number or an outbox folder.
  for (const auto& [key, pipe] : from.pipes) {
    const auto next = to.pipes.find(key);
    if (next == to.pipes.end() || !(next->second == pipe)) TG_CHECK(drop.bind(key).run());
  }
  return differences(
      from.pipes, to.pipes, [](const std::string&) { return Status(); },
      [&](const std::string&, const PipeDefinition& pipe) { return write_pipe(put, pipe); });
}

Status write_pipesinks(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query drop, db.prepare("DELETE FROM pipesinks WHERE name = ?", kWriting));
  TG_TRY(Query put, db.prepare("INSERT INTO pipesinks (name, type, attributes) VALUES (?, ?, ?) "
                               "ON CONFLICT (name) DO UPDATE SET name = excluded.name, type = excluded.type, "
                               "attributes = excluded.attributes",
                               kWriting));
  return differences(
      from.pipesinks, to.pipesinks, [&](const std::string& key) { return drop.bind(key).run(); },
      [&](const std::string& key, const PipesinkDefinition& sink) {
        return put.bind(key).bind(sink.type).bind(text_map_json(sink.attributes)).run();
      });
}

Status write_plugins(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query drop, db.prepare("DELETE FROM plugins WHERE name = ?", kWriting));
  TG_TRY(Query put, db.prepare("INSERT OR REPLACE INTO plugins (name, class, file, sha256, "
                               "created_unix_micros) VALUES (?, ?, ?, ?, ?)",
                               kWriting));
  return differences(
      from.plugins, to.plugins, [&](const std::string& key) { return drop.bind(key).run(); },
      [&](const std::string& key, const PluginDefinition& plugin) {
        put.bind(key).bind(plugin.class_name).bind(plugin.file).bind(plugin.sha256);
        return put.bind(plugin.created_micros).run();
      });
}

Status write_users(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query drop, db.prepare("DELETE FROM users WHERE name = ?", kWriting));
  TG_TRY(Query put, db.prepare("INSERT INTO users (name, password_hash) VALUES (?, ?) ON CONFLICT (name) "
                               "DO UPDATE SET password_hash = excluded.password_hash",
                               kWriting));
  TG_TRY(Query revoke, db.prepare("DELETE FROM grants WHERE user = ?", kWriting));
  TG_TRY(Query grant, db.prepare("INSERT INTO grants (user, privilege) VALUES (?, ?)", kWriting));
  return differences(
      from.users, to.users, [&](const std::string& key) { return drop.bind(key).run(); },
      [&](const std::string& key, const UserDefinition& user) -> Status {
        TG_CHECK(put.bind(key).bind(user.password_hash).run());
        TG_CHECK(revoke.bind(key).run());
        for (const PipePrivilege privilege : user.privileges)
          TG_CHECK(grant.bind(key).bind(privilege_name(privilege)).run());
        return {};
      });
}

Status write_spent_streams(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query put, db.prepare("INSERT INTO spent_streams (link_stream, pipe, dropped_unix_micros) "
                               "VALUES (?, ?, ?)",
                               kWriting));
  return differences(
      from.spent_streams, to.spent_streams, [](StreamId) { return Status(); },
      [&](StreamId stream, const SpentStream& spent) {
        return put.bind(std::int64_t{stream}).bind(spent.pipe).bind(spent.dropped_micros).run();
      });
}

Status write_settings(Database& db, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  TG_TRY(Query drop, db.prepare("DELETE FROM settings WHERE key = ?", kWriting));
  TG_TRY(Query put, db.prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", kWriting));
  return differences(
      from.settings, to.settings, [&](const std::string& key) { return drop.bind(key).run(); },
      [&](const std::string& key, const std::string& value) { return put.bind(key).bind(value).run(); });
}

}  // namespace

Result<CatalogueSnapshot> read_rows(Database& database, const std::string& path) {
  CatalogueSnapshot out;
  const auto read = [&]() -> Status {
    TG_CHECK(read_pipesinks(database, out));
    TG_CHECK(read_pipes(database, out));
    TG_CHECK(read_plugins(database, out));
    TG_CHECK(read_users(database, out));
    TG_CHECK(read_spent_streams(database, out));
    TG_CHECK(read_settings(database, out));
    return {};
  };
  if (Status done = read(); !done.ok()) {
    Error error = std::move(done).error();
    if (error.path.empty()) error.path = path;
    return error;
  }
  if (const Status sound = check_snapshot(out); !sound.ok())
    return Error(ErrorCode::kDamaged, "the catalogue was edited to something that cannot be: " +
                                          sound.error().detail + "; correct it with sqlite3")
        .at_path(path);
  return out;
}

Status write_rows(Database& database, const CatalogueSnapshot& from, const CatalogueSnapshot& to) {
  // Within a transaction the order of references and what they refer to does not matter.
  TG_CHECK(database.run("PRAGMA defer_foreign_keys = ON", kWriting));
  TG_CHECK(write_pipes(database, from, to));
  TG_CHECK(write_pipesinks(database, from, to));
  TG_CHECK(write_plugins(database, from, to));
  TG_CHECK(write_users(database, from, to));
  TG_CHECK(write_spent_streams(database, from, to));
  return write_settings(database, from, to);
}

}  // namespace tidegate::sqlite
