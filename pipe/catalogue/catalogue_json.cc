// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/catalogue_json.h"

#include <charconv>

#include "base/hash.h"
#include "pipe/engine/json_text.h"
#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

using Json = influx::JsonValue;
constexpr std::string_view kFormat = "tidegate-catalogue";
constexpr std::uint64_t kVersion = 1;

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kDamaged, what);
}

// ---- writing

template <class Map, class Write>
std::string array_of(const Map& map, const Write& write) {
  std::string out = "[";
  for (const auto& [key, value] : map) {
    if (out.size() > 1) out += ',';
    JsonObject object(out);
    write(object, key, value);
    object.end();
  }
  return out + "]";
}

void write_pipe(JsonObject& o, const PipeDefinition& pipe) {
  o.text("name", pipe.name);
  o.signed_number("created_unix_micros", pipe.created_micros);
  o.text("dialect", dialect_name(pipe.dialect));
  o.text("origin", origin_name(pipe.origin));
  o.text("yaml_hash", pipe.yaml_hash);
  o.text("wanted_state", wanted_state_name(pipe.wanted));
  o.text("exception_message", pipe.exception_message);
  o.raw("extractor", attributes_json(pipe.extractor));
  o.raw("processor", attributes_json(pipe.processor));
  o.raw("connector", attributes_json(pipe.connector));
  o.text("pipesink", pipe.pipesink);
  o.number("history_boundary_lsn", pipe.history_boundary);
  o.number("link_stream", pipe.stream);
  o.text("outbox_folder", pipe.outbox);
}

void write_user(JsonObject& o, const UserDefinition& user) {
  o.text("name", user.name);
  o.text("password_hash", user.password_hash);
  std::string privileges = "[";
  for (const PipePrivilege privilege : user.privileges) {
    if (privileges.size() > 1) privileges += ',';
    append_json_string(privileges, privilege_name(privilege));
  }
  o.raw("privileges", privileges + "]");
}

std::string plugins_json(const CatalogueSnapshot& snapshot) {
  return array_of(snapshot.plugins, [](JsonObject& o, const auto&, const PluginDefinition& plugin) {
    o.text("name", plugin.name);
    o.text("class", plugin.class_name);
    o.text("file", plugin.file);
    o.text("sha256", plugin.sha256);
    o.signed_number("created_unix_micros", plugin.created_micros);
  });
}

// ---- reading: what is missing or of another kind is remembered, and asked for once at the end

class Members {
 public:
  Members(const Json& object, bool* ok) : object_(object), ok_(ok) {
    if (object.kind != Json::Kind::kObject) *ok_ = false;
  }
  std::string text(std::string_view name) const {
    const Json* found = find(name, Json::Kind::kString);
    return found == nullptr ? std::string() : found->text;
  }
  template <class T>
  T number(std::string_view name) const {
    const Json* found = find(name, Json::Kind::kNumber);
    T value{};
    if (found == nullptr) return value;
    const char* end = found->text.data() + found->text.size();
    const auto [at, error] = std::from_chars(found->text.data(), end, value);
    if (error != std::errc() || at != end) *ok_ = false;
    return value;
  }
  template <class T>
  T choice(std::string_view name, std::optional<T> (*parse)(std::string_view)) const {
    const std::optional<T> value = parse(text(name));
    if (!value) *ok_ = false;
    return value.value_or(T{});
  }
  std::map<std::string, std::string> map(std::string_view name) const {
    std::map<std::string, std::string> out;
    const Json* found = find(name, Json::Kind::kObject);
    if (found == nullptr) return out;
    for (const Json& member : found->members)
      if (member.kind != Json::Kind::kString || !out.emplace(member.name, member.text).second) *ok_ = false;
    return out;
  }
  Attributes attributes(std::string_view name) const {
    const Json* found = find(name, Json::Kind::kObject);
    if (found == nullptr) return {};
    const Members part(*found, ok_);
    return {part.text("plugin"), part.map("attributes")};
  }
  const std::vector<Json>& array(std::string_view name) const {
    static const std::vector<Json> kNone;
    const Json* found = find(name, Json::Kind::kArray);
    return found == nullptr ? kNone : found->members;
  }

 private:
  const Json* find(std::string_view name, Json::Kind kind) const {
    const Json* found = object_.find(name);
    if (found != nullptr && found->kind == kind) return found;
    *ok_ = false;
    return nullptr;
  }

  const Json& object_;
  bool* ok_;
};

PipeDefinition read_pipe(const Members& in) {
  PipeDefinition pipe;
  pipe.name = in.text("name");
  pipe.created_micros = in.number<std::int64_t>("created_unix_micros");
  pipe.dialect = in.choice<PipeDialect>("dialect", parse_dialect);
  pipe.origin = in.choice<PipeOrigin>("origin", parse_origin);
  pipe.yaml_hash = in.text("yaml_hash");
  pipe.wanted = in.choice<WantedState>("wanted_state", parse_wanted_state);
  pipe.exception_message = in.text("exception_message");
  pipe.extractor = in.attributes("extractor");
  pipe.processor = in.attributes("processor");
  pipe.connector = in.attributes("connector");
  pipe.pipesink = in.text("pipesink");
  pipe.history_boundary = in.number<Lsn>("history_boundary_lsn");
  pipe.stream = in.number<StreamId>("link_stream");
  pipe.outbox = in.text("outbox_folder");
  return pipe;
}

UserDefinition read_user(const Members& in, bool* ok) {
  UserDefinition user{in.text("name"), in.text("password_hash"), {}};
  for (const Json& name : in.array("privileges")) {
    const auto privilege = parse_privilege(name.text);
    if (!privilege) *ok = false;
    if (privilege) user.privileges.insert(*privilege);
  }
  return user;
}

CatalogueSnapshot read_snapshot(const Members& root, bool* ok) {
  CatalogueSnapshot out;
  for (const Json& item : root.array("pipes")) {
    PipeDefinition pipe = read_pipe(Members(item, ok));
    out.pipes.emplace(pipe.name, std::move(pipe));
  }
  for (const Json& item : root.array("pipesinks")) {
    const Members in(item, ok);
    out.pipesinks.emplace(in.text("name"),
                          PipesinkDefinition{in.text("name"), in.text("type"), in.map("attributes")});
  }
  for (const Json& item : root.array("plugins")) {
    const Members in(item, ok);
    out.plugins.emplace(in.text("name"),
                        PluginDefinition{in.text("name"), in.text("class"), in.text("file"),
                                         in.text("sha256"), in.number<std::int64_t>("created_unix_micros")});
  }
  for (const Json& item : root.array("users")) {
    UserDefinition user = read_user(Members(item, ok), ok);
    out.users.emplace(user.name, std::move(user));
  }
  for (const Json& item : root.array("spent_streams")) {
    const Members in(item, ok);
    out.spent_streams.emplace(in.number<StreamId>("link_stream"),
                              SpentStream{in.text("pipe"), in.number<std::int64_t>("dropped_unix_micros")});
  }
  out.settings = root.map("settings");
  return out;
}

}  // namespace

std::string text_map_json(const std::map<std::string, std::string>& map) {
  std::string out;
  JsonObject object(out);
  for (const auto& [key, value] : map) object.text(key, value);
  object.end();
  return out;
}

std::string attributes_json(const Attributes& attributes) {
  std::string out;
  JsonObject object(out);
  object.text("plugin", attributes.plugin);
  object.raw("attributes", text_map_json(attributes.values));
  object.end();
  return out;
}

Result<std::map<std::string, std::string>> parse_text_map_json(std::string_view json) {
  const auto value = influx::parse_json(json);
  if (!value || value->kind != Json::Kind::kObject) return damaged("it is not a JSON object");
  std::map<std::string, std::string> out;
  for (const Json& member : value->members) {
    if (member.kind != Json::Kind::kString) return damaged("'" + member.name + "' is not a string");
    if (!out.emplace(member.name, member.text).second) return damaged("'" + member.name + "' stands twice");
  }
  return out;
}

Result<Attributes> parse_attributes_json(std::string_view json) {
  const auto value = influx::parse_json(json);
  bool ok = value.has_value();
  if (!ok) return damaged("it is not JSON");
  const Members in(*value, &ok);
  Attributes out{in.text("plugin"), in.map("attributes")};
  if (!ok || value->members.size() != 2)
    return damaged(R"(it is not {"plugin":"...","attributes":{"name":"value"}})");
  return out;
}

std::string export_json(const CatalogueSnapshot& snapshot) {
  std::string out;
  JsonObject object(out);
  object.text("format", kFormat);
  object.number("version", kVersion);
  object.raw("pipes", array_of(snapshot.pipes, [](JsonObject& o, const auto&, const PipeDefinition& pipe) {
               write_pipe(o, pipe);
             }));
  object.raw("pipesinks",
             array_of(snapshot.pipesinks, [](JsonObject& o, const auto&, const PipesinkDefinition& sink) {
               o.text("name", sink.name);
               o.text("type", sink.type);
               o.raw("attributes", text_map_json(sink.attributes));
             }));
  object.raw("plugins", plugins_json(snapshot));
  object.raw("users", array_of(snapshot.users, [](JsonObject& o, const auto&, const UserDefinition& user) {
               write_user(o, user);
             }));
  object.raw("spent_streams",
             array_of(snapshot.spent_streams, [](JsonObject& o, StreamId stream, const SpentStream& spent) {
               o.number("link_stream", stream);
               o.text("pipe", spent.pipe);
               o.signed_number("dropped_unix_micros", spent.dropped_micros);
             }));
  object.raw("settings", text_map_json(snapshot.settings));
  object.text("sha256", to_hex(sha256(as_bytes(out))));
  object.end();
  return out + "\n";
}

Result<CatalogueSnapshot> import_json(std::string_view json) {
  const auto value = influx::parse_json(json);
  if (!value || value->kind != Json::Kind::kObject || value->string("format") != kFormat)
    return damaged("this is not a copy of a Tidegate catalogue");
  bool ok = true;
  const Members root(*value, &ok);
  const auto version = root.number<std::uint64_t>("version");
  if (ok && version > kVersion)
    return make_error(ErrorCode::kUnsupported, "this copy of the catalogue was written by a newer version (" +
                                                   std::to_string(version) + "; this program knows " +
                                                   std::to_string(kVersion) + ")");
  CatalogueSnapshot snapshot = read_snapshot(root, &ok);
  // One form per snapshot: every byte that differs shows here, the checksum's among them.
  if (!ok || export_json(snapshot) != json)
    return damaged("this copy of the catalogue is not as it was written");
  if (const Status sound = check_snapshot(snapshot); !sound.ok())
    return damaged("this copy of the catalogue contradicts itself: " + sound.error().detail);
  return snapshot;
}

}  // namespace tidegate
